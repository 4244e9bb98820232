"""The catalogue: every theorem, by name."""

from __future__ import annotations

from difflib import get_close_matches

from proofs import (
    ahn,
    averaged_directions,
    bayes_error,
    cheng,
    copying,
    dai,
    depth_separation,
    descents,
    family_minimum,
    fu,
    gatmiry,
    gdpp_family_loss,
    gdpp_sampling,
    generated_error,
    gradient_dominance,
    huang,
    krylov_theorem,
    label_shift,
    laguerre_steps,
    lifted_loss,
    looped_saddle,
    looped_scalar_loss,
    looped_scalar_optimum,
    looped_strict_saddle,
    looped_whitening,
    mahankali,
    multilayer_closed_form,
    newton_convergence,
    newton_errata,
    newton_expansion,
    newton_stalling,
    noisy_steps,
    nonlinear_targets,
    one_forward_pass,
    one_layer_closed_form,
    one_layer_landscape,
    one_layer_minimisers,
    one_layer_optimum,
    one_step_optimum,
    optimal_steps,
    proportional_steps,
    reduced_landscape,
    relu_optimum,
    restricted_stationarity,
    scalar_lemmas,
    softmax_heads,
    stacks,
    stationary_families,
    step_count_theorems,
    two_layer_minimum,
    von_oswald,
    von_oswald_features,
)
from proofs.theorem import Theorem

MODULES = (
    von_oswald,
    copying,
    softmax_heads,
    von_oswald_features,
    one_step_optimum,
    ahn,
    one_layer_closed_form,
    one_layer_optimum,
    one_layer_minimisers,
    lifted_loss,
    one_layer_landscape,
    relu_optimum,
    optimal_steps,
    noisy_steps,
    proportional_steps,
    laguerre_steps,
    stacks,
    multilayer_closed_form,
    two_layer_minimum,
    stationary_families,
    family_minimum,
    averaged_directions,
    gdpp_family_loss,
    gdpp_sampling,
    mahankali,
    nonlinear_targets,
    fu,
    scalar_lemmas,
    newton_errata,
    newton_stalling,
    newton_expansion,
    newton_convergence,
    depth_separation,
    step_count_theorems,
    krylov_theorem,
    dai,
    gatmiry,
    label_shift,
    looped_whitening,
    looped_scalar_loss,
    looped_scalar_optimum,
    looped_saddle,
    looped_strict_saddle,
    gradient_dominance,
    cheng,
    bayes_error,
    restricted_stationarity,
    huang,
    one_forward_pass,
    generated_error,
    reduced_landscape,
    descents,
)
"""Where theorems are stated, in the order in which they are listed."""


def catalogue() -> dict[str, Theorem]:
    """Every theorem by its name, system by system.

    Raises:
        ValueError: if two theorems share a name.
    """
    theorems = [theorem for module in MODULES for theorem in module.theorems()]
    named = {theorem.name: theorem for theorem in theorems}
    if len(named) != len(theorems):
        raise ValueError("two theorems of the catalogue share a name")
    return named


def theorem_named(name: str) -> Theorem:
    """The theorem of that name.

    Raises:
        KeyError: if there is none; the message names the nearest ones.
    """
    named = catalogue()
    if name in named:
        return named[name]
    near = get_close_matches(name, named, n=3, cutoff=0.4)
    raise KeyError(
        f"there is no theorem {name!r}; " + (f"the nearest are {', '.join(near)}" if near else "see icl list")
    )
