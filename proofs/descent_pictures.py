"""Pictures of descents by their number of steps: rolled out, tuned, Newton's against the gradient's, and in floats.

Symbols: n context tokens, d features, S = X X^T; eta a step size, gamma a curvature step, kappa the condition number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from constructions.construction import iterates
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from numerics.linear_layers import linear_layers, losses_by_layer, rolled_out
from numerics.newton_growth import CONVERGED, STEPS, newton_growth
from numerics.step_counts import conjugate_gradient_step_count, gradient_descent_step_count, newton_step_count
from numerics.tasks import FU, VON_OSWALD, Array
from numerics.tuned_descent import drawn_spectra, tuned_descent
from proofs.one_step_optimum import AUTHORS_CODE, optimal_loss, optimal_step_size
from proofs.picture import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, Drawing, Picture, new_figure

_UNIFORM = "n = d = 10, x from U(-1/2, 1/2)^d, teacher w from N(0, I), no noise"
_HALF_LOSS = "loss, (1/2) E |prediction - target|^2"

ROLL_OUT_STEPS = 50
DAMPINGS = (1.0, 0.875, 0.75)
"""As in the paper."""


def roll_out_picture(drawing: Drawing) -> Any:
    """The best single step, looped with damping: the loss by the number of loops."""
    best = float(optimal_step_size(10, 10, AUTHORS_CODE))
    least = float(optimal_loss(10, 10, AUTHORS_CODE))
    tasks = VON_OSWALD.sample(drawing.seed, drawing.tasks)
    # The same seed draws the same contexts.
    spectra = drawn_spectra(VON_OSWALD, drawing.tasks, drawing.seed)
    unstable = {each: float(np.mean(each * best * spectra[:, -1] / 10 > 2)) for each in DAMPINGS}
    shares = ", ".join(f"{100 * share:.2g} % at {damping:g}" for damping, share in unstable.items())
    figure, (axis,) = new_figure(
        1,
        "The best single step, rolled out with damping",
        f"Points: the mean loss of the looped layer over {drawing.tasks} tasks, seed {drawing.seed}; lines: (1/2) s2 "
        "mean of sum_i (1 - delta eta* lam_i / n)^(2 K) over the spectra of the same contexts, teachers and queries "
        f"integrated out. Contexts that diverge, delta eta* lam_max / n > 2: here {shares}; at no damping is their "
        f"probability 0, so that every expectation diverges and late means hang on few contexts. {_UNIFORM}; eta* = "
        f"{best:.4f}.",
        width=7.0,
        height=4.8,
    )
    layer = linear_layers(GradientDescent(step_sizes=[best]), 10, 10)
    for damping, colour, marker in zip(DAMPINGS, (RED, GREEN, BLUE), "os^", strict=True):
        measured = losses_by_layer(rolled_out(layer, ROLL_OUT_STEPS, damping), tasks)
        expected = rolled_out_losses(spectra, damping * best / 10)
        axis.plot(range(ROLL_OUT_STEPS + 1), expected, color=colour, label=f"damping delta = {damping:g}")
        axis.plot(_SHOWN, [measured[k].mean for k in _SHOWN], marker, color=colour, markersize=4)
    axis.plot(1, least, "*", color=BLACK, markersize=11, zorder=3, label=f"L* = {least:.4f} of one step, exact")
    axis.set_yscale("log")
    axis.set_ylim(0.03, 10)
    axis.set_xlabel("loops K of the layer")
    axis.set_ylabel(_HALF_LOSS)
    axis.legend(fontsize=9)
    return figure


_SHOWN = (0, 1, 2, 3, 4, 5, 7, 10, 14, 20, 27, 35, 42, 50)
"""The numbers of loops whose measured losses are shown."""


def rolled_out_losses(spectra: Array, rate: float) -> list[float]:
    """(1/2) s2 times the mean of sum_i (1 - rate lam_i)^(2 K), for K = 0, ..., ROLL_OUT_STEPS; s2 = 1/12."""
    factor = (1 - rate * spectra) ** 2
    power, found = np.ones_like(factor), []
    for _ in range(ROLL_OUT_STEPS + 1):
        found.append(float(np.mean(np.sum(power, axis=1))) / 24)
        power = power * factor
    return found


DEPTHS = (1, 2, 3, 4, 5)


def depth_picture(drawing: Drawing) -> Any:
    """Gradient descent and GD++ with tuned parameters, shared by all layers or not, by depth."""
    contexts = drawing.tasks
    least = float(optimal_loss(10, 10, AUTHORS_CODE))
    figure, (axis, parameters) = new_figure(
        2,
        "Gradient descent and GD++ with the best parameters, by depth",
        f"Left: (1/2) s2 E sum_i rho_K(lam_i)^2, minimised by BFGS over the parameters, on the spectra of {contexts} "
        f"contexts, seed {drawing.seed}; star: the exact minimum of one layer, {least:.4f}. GD++ of three and more "
        "layers with parameters of their own is left out: its loss has heavy tails. Right: the parameters found when "
        f"all layers share them. {_UNIFORM}.",
        width=5.0,
    )
    curves = (
        ("GD, one eta", {"curvature": False, "shared": True}, DEPTHS, BLUE, "o-"),
        ("GD, eta of each layer", {"curvature": False, "shared": False}, DEPTHS, SKY, "s--"),
        ("GD++, one eta and gamma", {"curvature": True, "shared": True}, DEPTHS, RED, "^-"),
        ("GD++, those of each layer", {"curvature": True, "shared": False}, DEPTHS[:2], ORANGE, "v--"),
    )
    for label, options, depths, colour, style in curves:
        tuned = [tuned_descent(VON_OSWALD, k, **options, contexts=contexts, rng=drawing.seed) for k in depths]
        axis.plot(depths, [each.loss for each in tuned], style, color=colour, label=label)
        if options["shared"]:
            parameters.plot(depths, [each.step_sizes[0] for each in tuned], style, color=colour, label=f"{label}: eta")
            if options["curvature"]:
                gammas = [100 * each.curvature_steps[0] for each in tuned[1:]]
                parameters.plot(depths[1:], gammas, "D:", color=PURPLE, label="GD++: 100 gamma")
    axis.plot(1, least, "*", color=BLACK, markersize=12, label="one layer, exact", zorder=3)
    axis.axhline(10 / 24, color=BLACK, linewidth=1, linestyle=":", label="predicting 0, exact")
    axis.set_yscale("log")
    axis.set_ylabel(_HALF_LOSS)
    parameters.set_ylabel("eta, and 100 gamma")
    for each in (axis, parameters):
        each.set_xlabel("layers K")
        each.set_xticks(DEPTHS)
        each.legend(fontsize=9)
    return figure


EPSILON = 1e-6
NEWTON_STEPS = 14


def newton_picture(drawing: Drawing) -> Any:
    """How many steps Newton, conjugate gradient and gradient descent need, and the error on one context."""
    figure, (counts, errors) = new_figure(
        2,
        "Newton's iteration against gradient descent",
        f"Left: the exact least number of steps for all contexts of that condition number, relative error {EPSILON:g}, "
        f"from alpha = 1 / lmax. Right: one context, n = 40, d = 20, x from N(0, I), seed {drawing.seed}; points: the "
        "iterates in float64; lines: |w* (I - alpha S)^(2^k)| / |w*| of k Newton and 2^k gradient steps, from the "
        "eigenvalues of S = X X^T.",
        width=5.0,
    )
    kappas = [10 ** (power / 4) for power in range(2, 25)]
    for label, count, colour, style in (
        ("gradient descent", gradient_descent_step_count, BLUE, "-"),
        ("conjugate gradient", conjugate_gradient_step_count, GREEN, "-."),
        ("Newton, M_0 = alpha I", newton_step_count, RED, "--"),
    ):
        counts.plot(kappas, [count(kappa, EPSILON) for kappa in kappas], style, color=colour, label=label)
    counts.set_xscale("log")
    counts.set_yscale("log")
    counts.set_xlabel("condition number kappa of X X^T")
    counts.set_ylabel(f"steps to a relative error of {EPSILON:g}")
    counts.legend(fontsize=9)

    task = FU.sample(drawing.seed)
    S, lam, alpha = _spectrum(task.X)
    teacher = (task.W_star @ S)[0]
    powers = 2 ** np.arange(NEWTON_STEPS + 1)
    exact = [float(np.linalg.norm(teacher * (1 - alpha * lam) ** power) / np.linalg.norm(teacher)) for power in powers]
    prompt = Prompt(task.X, task.Y, task.x_query)
    # One iterate more comes from the layer that reads out.
    found = list(iterates(NewtonFromIdentity(alpha=alpha, steps=NEWTON_STEPS), prompt))[: NEWTON_STEPS + 1]
    newton = [task.Y @ task.X.T @ M.entry for M in found]
    descent = [np.zeros_like(task.W_star)]
    for _ in range(int(powers[-1])):
        descent.append(descent[-1] - alpha * (descent[-1] @ task.X - task.Y) @ task.X.T)
    size = np.linalg.norm(task.W_star)
    steps = np.arange(NEWTON_STEPS + 1)
    for x, run, colour, marker, name in (
        (steps, newton, RED, "o", "Newton"),
        (powers, [descent[power] for power in powers], BLUE, "s", "gradient descent"),
    ):
        errors.plot(x, exact, color=colour, label=name)
        measured = [float(np.linalg.norm(W - task.W_star) / size) for W in run]
        errors.plot(x, measured, marker, color=colour, markersize=5, label=f"_{name}, float64")
    errors.set_xscale("symlog", linthresh=1)
    errors.set_yscale("log")
    errors.set_ylim(1e-17, 3)
    errors.set_xlabel("steps (layers)")
    errors.set_ylabel("|w_k - w*| / |w*|")
    errors.legend(fontsize=9, loc="lower left")
    return figure


def _spectrum(X: Array) -> tuple[Array, Array, float]:
    """Eigenvectors and eigenvalues of X X^T, and 1 / the largest of them."""
    lam, vectors = np.linalg.eigh(X @ X.T)
    return vectors, lam, float(1 / lam[-1])


def rounding_picture(drawing: Drawing) -> Any:
    """The rounding error of Newton's network with the printed and with the stable heads, step by step."""
    figure, axes = new_figure(
        2,
        "Newton's network in floats: the printed heads double rounding errors, the stable ones do not",
        "|U - U_k| / |U_k| of the slot u before Newton step k, against the exact run in balls; dotted: lower bounds "
        "proved for the printed heads from the antisymmetric part at the step where they begin, dashed: upper bounds "
        "proved for the stable ones, against the limit of U_k. n = 40, d = 20, x from N(0, I), M_0 = alpha S, alpha = "
        f"1 / |S S|, seed {drawing.seed}.",
        width=5.0,
    )
    for axis, dtype in zip(axes, STEPS, strict=True):
        growth, start = newton_growth(dtype, drawing.seed), CONVERGED
        for states, colour, marker, name in (
            (growth.printed, RED, "o", "printed: query x, key u"),
            (growth.stable, BLUE, "s", "stable: query u, key x"),
        ):
            steps = [state.index for state in states]
            axis.plot(steps, [float(state.error.mid()) for state in states], marker, color=colour, markersize=4,
                      label=name)  # fmt: skip
        later = range(start, len(growth.printed))
        low = [max(float(bound.lower()), 0.0) for bound in growth.least_errors(start)]
        high = [float(bound.upper()) for bound in growth.largest_errors(start)]
        axis.plot(later, low, ":", color=RED, label="printed, proved lower bound")
        axis.plot(range(start, len(growth.stable)), high, "--", color=BLUE, label="stable, proved upper bound")
        axis.set_yscale("log")
        axis.set_xlabel(f"Newton step k, {dtype}")
        axis.set_ylabel("relative rounding error")
        axis.legend(fontsize=9, loc="upper left")
    return figure


PICTURES = (
    Picture("roll_out", "the best single step looped with damping, and its expected loss", roll_out_picture),
    Picture("depth", "gradient descent and GD++ with tuned parameters, by the number of layers", depth_picture),
    Picture("newton", "Newton against gradient descent: step counts, and errors on one context", newton_picture),
    Picture("rounding", "the growth of rounding errors in Newton's network, and its proved bounds", rounding_picture),
)
"""The pictures of this module."""
