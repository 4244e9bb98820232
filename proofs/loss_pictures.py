"""Pictures of one layer's loss: by step size, out of distribution, over the weights; and that of loops.

Symbols: n context tokens, d features; eta a step size; alpha, beta scales; A = a I the preconditioner of a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from scipy.optimize import minimize

from constructions.gradient_descent import GradientDescent
from numerics.alignment import mean_loss
from numerics.distribution_shift import losses_by_input_scale, losses_by_teacher_scale
from numerics.tasks import VON_OSWALD, LinearTask
from proofs.coordinate_moments import eta, kap, s2
from proofs.looped_saddle import antisymmetric_curvature, loss_at
from proofs.looped_scalar_loss import scalar_loss
from proofs.one_layer_landscape import gap, spurious_point
from proofs.one_layer_loss import Weights, least_loss, loss, optimal_weights
from proofs.one_step_optimum import AUTHORS_CODE, expected_loss, optimal_loss, optimal_step_size
from proofs.picture import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, Drawing, Picture, new_figure, with_error_bars
from proofs.regression_law import RegressionLaw

_VARIANCE = float(AUTHORS_CODE.variance)
_UNIFORM = "x from U(-1/2, 1/2)^d, teacher w from N(0, I), no noise; loss = (1/2) mean square error"


def step_size_picture(drawing: Drawing) -> Any:
    """The loss of one gradient step by its size, for n = d: measured, exact, and the exact minimum."""
    figure, (axis,) = new_figure(
        1,
        "One gradient step: the loss by its step size",
        f"Lines: the closed form for all n and d; stars: its minimum, eta* = n / (s2 (n + d - 2 + kap)). Points: one "
        f"linear attention layer with these weights on {drawing.tasks} tasks (bars: 2 standard errors), seed "
        f"{drawing.seed}. {_UNIFORM}; s2 = 1/12, kap = 9/5.",
        width=7.0,
    )
    for size, colour, marker in ((2, GREEN, "v"), (5, ORANGE, "s"), (10, BLUE, "o"), (20, PURPLE, "D")):
        best = optimal_step_size(size, size, AUTHORS_CODE)
        grid = np.linspace(0, 2 * float(best), 81)
        points = [factor * float(best) / 4 for factor in (1, 2, 3, 4, 5, 6, 7)]
        tasks = LinearTask(n=size, d=size, inputs="uniform").sample(drawing.seed, drawing.tasks)
        measured = [mean_loss(GradientDescent(step_sizes=[step]), tasks) for step in points]
        axis.plot(grid, one_step_loss(size)(grid, _VARIANCE), color=colour, label=f"n = d = {size}")
        with_error_bars(axis, points, measured, fmt=marker, markersize=4, color=colour)
        axis.plot(float(best), float(optimal_loss(size, size, AUTHORS_CODE)), "*", color=BLACK, markersize=10, zorder=3)
    axis.set_xlabel("step size eta (weights: eta / n)")
    axis.set_ylabel("loss, (1/2) E |prediction - target|^2")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=9)
    return figure


@lru_cache
def one_step_loss(size: int) -> Callable[[Any, Any], Any]:
    """The exact loss (1/2) E |error|^2 of one step for n = d, from its size and the variance of uniform inputs."""
    exact = sympy.Rational(AUTHORS_CODE.factor) * expected_loss(eta, size, size)
    function: Callable[[Any, Any], Any] = sympy.lambdify(
        (eta, s2), exact.subs(kap, sympy.Rational(AUTHORS_CODE.kurtosis)), "numpy"
    )
    return function


def shift_picture(drawing: Drawing) -> Any:
    """The loss of the best step for alpha = 1 on inputs and teachers that are scaled."""
    step = optimal_step_size(10, 10, AUTHORS_CODE)
    figure, axes = new_figure(
        2,
        "Out of distribution: the best single gradient step, its weights held fixed",
        f"Lines: closed form. Points: the attention layer on {drawing.tasks} tasks (bars: 2 standard errors), seed "
        f"{drawing.seed}. n = d = 10, eta = eta* = {float(step):.4f}; {_UNIFORM} at alpha = beta = 1.",
    )
    tasks, layer = VON_OSWALD.sample(drawing.seed, drawing.tasks), GradientDescent(step_sizes=[float(step)])
    inputs, teachers = np.linspace(0.5, 2, 11).tolist(), np.linspace(0.5, 5, 10).tolist()
    panels = (
        (axes[0], inputs, losses_by_input_scale(layer, tasks, inputs), loss_by_input_scale),
        (axes[1], teachers, losses_by_teacher_scale(layer, tasks, teachers), loss_by_teacher_scale),
    )
    labels = (
        "scale alpha of the inputs: x from U(-alpha/2, alpha/2)",
        "scale beta of the teacher: w from N(0, beta^2 I)",
    )
    for (axis, scales, measured, closed_form), label in zip(panels, labels, strict=True):
        grid = np.linspace(scales[0], scales[-1], 121)
        axis.plot(grid, closed_form(grid), color=BLUE, label="closed form")
        with_error_bars(axis, scales, measured, fmt="o", markersize=4, color=RED, label="attention layer, measured")
        axis.axvline(1, color=BLACK, linewidth=0.8, linestyle=":", label="as in training")
        axis.set_yscale("log")
        axis.set_xlabel(label)
        axis.set_ylabel("loss, (1/2) E |prediction - target|^2")
        axis.legend(fontsize=9, loc="upper left")
    return figure


def loss_by_input_scale(alpha: Any) -> Any:
    """The exact loss of the step that is best for alpha = 1 with inputs of variance alpha^2 / 12."""
    return one_step_loss(10)(float(optimal_step_size(10, 10, AUTHORS_CODE)), _VARIANCE * alpha**2)


def loss_by_teacher_scale(beta: Any) -> Any:
    """The exact loss of the best step with teachers of variance beta^2."""
    return float(optimal_loss(10, 10, AUTHORS_CODE)) * beta**2


LANDSCAPE = RegressionLaw(3, [[sympy.Rational(2, 5), 0], [0, sympy.Rational(3, 2)]], [[1, 0], [0, 1]])
"""n = 3 and Sigma = diag(2/5, 3/2): a law whose landscape has a spurious minimum."""

RESTARTS = 30


@lru_cache(maxsize=1)
def landscape_slice() -> Any:
    """The loss at s times the global minimum plus t times the spurious one, as a polynomial in s and t."""
    s, t = sympy.symbols("s t")
    best, other = optimal_weights(LANDSCAPE), spurious_point(LANDSCAPE, 1)
    mixed = Weights(*(s * getattr(best, name) + t * getattr(other, name) for name in ("p0", "p1", "Q1", "q2")))
    return sympy.Poly(loss(mixed, LANDSCAPE), s, t)


def landscape_picture(drawing: Drawing) -> Any:
    """The loss of one layer on a plane through both minima, and where restarts end."""
    figure, (plane, restarts) = new_figure(
        2,
        "One layer of linear attention: a landscape with spurious local minima",
        f"Left: the exact loss on the plane s (weights of a global minimum) + t (weights of the spurious minimum p0 = "
        f"beta e_2, q2 = alpha e_2). Right: BFGS on the exact loss of all weights from {RESTARTS} starts with entries "
        f"from N(0, 1/4), seed {drawing.seed}. n = 3, d = 2, x from N(0, diag(2/5, 3/2)), w from N(0, I), no noise.",
        width=5.0,
        height=4.8,
    )
    value = sympy.lambdify(landscape_slice().gens, landscape_slice().as_expr(), "numpy")
    ends = np.linspace(-1.5, 1.5, 241)
    heights = value(*np.meshgrid(ends, ends))
    least, above = float(least_loss(LANDSCAPE)), float(gap(LANDSCAPE, 1))
    shown = plane.imshow(
        np.log10(heights - least + 1e-2), extent=(-1.5, 1.5, -1.5, 1.5), origin="lower", cmap="cividis", aspect="auto"
    )
    levels = least + above * np.array([0.25, 0.5, 1.0, 1.5, 2.5, 4, 8, 16])
    plane.contour(ends, ends, heights, levels, colors="white", linewidths=0.7)
    figure.colorbar(shown, ax=plane, label="log10(loss - f* + 0.01)")
    plane.plot([-1, 1], [0, 0], "*", color=ORANGE, markeredgecolor=BLACK, markersize=14, label=f"f* = {least:.4f}")
    plane.plot(
        [0, 0], [-1, 1], "D", color="white", markeredgecolor=BLACK, markersize=8,
        label=f"spurious, f* + {above:.4f}",
    )  # fmt: skip
    plane.set_xlabel("s, along the global minimum")
    plane.set_ylabel("t, along the spurious minimum")
    plane.grid(False)
    plane.legend(fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    reached = np.sort(restarted_losses(drawing.seed))
    restarts.plot(np.arange(1, RESTARTS + 1), reached, "o", color=BLUE, markersize=5, label="loss reached by BFGS")
    restarts.axhline(least, color=BLACK, linewidth=1, label="f*, exact")
    restarts.axhline(least + above, color=RED, linewidth=1, linestyle="--", label="spurious minimum, exact")
    restarts.set_xlabel("restart, sorted by its result")
    restarts.set_ylabel("loss, E |prediction - target|^2")
    restarts.legend(fontsize=9, loc="center")
    return figure


def restarted_losses(seed: int) -> Any:
    """The losses at which BFGS ends from random starts, in float64 on the exact polynomial and its exact gradient."""
    symbols = sympy.symbols("p0_0 p0_1 p1 Q_00 Q_01 Q_10 Q_11 q2_0 q2_1")
    a, b, p1, *Q, c, e = symbols
    exact = loss(Weights([[a, b]], p1, [Q[:2], Q[2:]], [[c, e]]), LANDSCAPE)
    value = sympy.lambdify([symbols], [exact, *(exact.diff(each) for each in symbols)], "numpy")

    def both(x: Any) -> tuple[float, Any]:
        first, *gradient = value(x)
        return float(first), np.array(gradient, dtype=float)

    starts = 0.5 * np.random.default_rng(seed).standard_normal((RESTARTS, len(symbols)))
    return np.array([minimize(both, start, jac=True, method="BFGS").fun for start in starts])


def looped_picture(drawing: Drawing) -> Any:
    """The loss of the looped layer at A = a I, and of two loops beside a* I along an antisymmetric matrix."""
    figure, (scalar, across) = new_figure(
        2,
        "The looped layer: the best A = a I, and that it need not be a minimum",
        "Left: E tr(I - a S)^(2L) / d from exact Wishart moments, n = 20, d = 10; stars: minima. Right: two loops, d = "
        "2, exact loss at A = a* I + t [[0, 1], [-1, 0]] minus that at t = 0; dotted: the parabola c(a*) t^2, from "
        "the closed form of c. x, w from N(0, I), no noise; nothing is drawn at random.",
    )
    a = sympy.Symbol("a", real=True)
    grid = np.linspace(0, 1.2, 241)
    for loops, colour, dash in ((1, BLUE, "-"), (2, RED, "--"), (3, GREEN, "-."), (4, PURPLE, ":")):
        polynomial = sympy.Poly(scalar_loss(loops, a, 20, 10), a)
        best = best_multiple(polynomial)
        value = sympy.lambdify(a, polynomial.as_expr(), "numpy")
        scalar.plot(grid, value(grid) / 10, dash, color=colour, label=f"L = {loops}, a* = {best:.4f}")
        scalar.plot(best, value(best) / 10, "*", color=colour, markeredgecolor=BLACK, markersize=11)
    scalar.set_yscale("log")
    scalar.set_ylim(0.05, 20)
    scalar.set_xlabel("a, the multiple of the identity")
    scalar.set_ylabel("loss / d")
    scalar.legend(fontsize=9)
    t = sympy.Symbol("t")
    scaled = np.linspace(-1.5, 1.5, 151)
    for tokens, colour, dash in ((5, BLUE, "-"), (20, GREEN, "-."), (100, RED, "--")):
        middle = sympy.Rational(best_multiple(sympy.Poly(scalar_loss(2, a, tokens, 2), a)))
        along = sympy.Poly(loss_at([[middle, t], [-t, middle]], tokens), t)
        rise = sympy.lambdify(t, (along - along.eval(0)).as_expr() * tokens**2, "numpy")
        # The matrix has the norm sqrt(2), and half of the second derivative is the coefficient of t^2.
        curvature = float(antisymmetric_curvature(middle, tokens, 2))
        label = f"n = {tokens}, c(a*) = {curvature:.3g}"
        across.plot(scaled, rise(scaled / tokens**0.5), dash, color=colour, label=label)
        across.plot(scaled, curvature * tokens * scaled**2, ":", color=colour, linewidth=1.2)
    across.axhline(0, color=BLACK, linewidth=0.8)
    across.set_ylim(-4, 6)
    across.set_xlabel("t sqrt(n), along the antisymmetric matrix")
    across.set_ylabel("n^2 (loss - loss at a* I)")
    across.legend(fontsize=9, loc="upper center")
    return figure


def best_multiple(polynomial: Any) -> float:
    """Where a convex polynomial in a has its minimum."""
    (root,) = (each for each in polynomial.diff().real_roots(multiple=True, radicals=False))
    return float(root.evalf(20))


PICTURES = (
    Picture("step_size", "the loss of one gradient step by its size, and the closed-form optimum", step_size_picture),
    Picture("out_of_distribution", "the best single step on scaled inputs and teachers", shift_picture),
    Picture("landscape", "one layer's loss with its spurious local minima, and where restarts end", landscape_picture),
    Picture("looped_loss", "the looped layer's loss by its step size, and its saddle", looped_picture),
)
"""The pictures of this module."""
