"""The route of Ahn et al. (2023) to their Theorem 1, a second proof: the loss is lifted to a convex problem.

Symbols: as in ``proofs.one_layer_loss``, Omega = I, Sigma = diag(lam), tau = tr Sigma + sigma2; p = (p0; p1) (d + 1);
q_j (d + 1) column j of (Q1; q2^T); G = [[S, v], [v^T, g]]; D_j = e_{d+1} e_j^T; c_j = 1 / ((1 + 1/n) lam_j + tau / n).

    loss = sum_j lam_j f_j(p q_j^T)         f_j(Y) = E (<G, Y> + w[j])^2, convex over all (d + 1, d + 1) matrices Y

-c_j D_j is a minimiser of f_j, and of rank one for all j at once with p = e_{d+1}: the sum of the minima is attained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import sympy

from constructions.construction import forward
from constructions.one_layer_attention import OneLayerAttention
from proofs.argued_theorem import ArguedTheorem, Equation, Inference, Run
from proofs.expected_words import indexed, regression_prompt
from proofs.gaussian_moments import INPUTS, NOISE, QUERY, Gaussian, X, eps, expectation, sigma2, w
from proofs.index_sums import Factor, Free, IndexSum, Tensor, eigenvalue, lam, n, power_sum, summed
from proofs.induction import normal_form
from proofs.one_layer_closed_form import LAYER, PAPER
from proofs.one_layer_loss import Q1, Weights, attention, least_loss, loss, noise_level, p0, p1, q2, with_letters
from proofs.one_layer_runs import drawn_weights, float_bounds, rounded
from proofs.regression_law import RegressionLaw, integrated, integrated_loss

Products = list[tuple[Any, list[Factor]]]
_FAMILIES = (INPUTS, NOISE, Gaussian(w))
_HALF = sympy.Rational(1, 2)


def lifted_loss(j: int, Y: Any, law: RegressionLaw) -> Any:
    """f_j(Y) = E (<G, Y> + w[j])^2, integrated entry by entry.

    Args:
        j: from 0.
        Y: (d + 1, d + 1).
        law: by its roots, Sigma diagonal.
    """
    tokens, features = law.n, law.d
    Z = sympy.Matrix(features, tokens, lambda a, i: sympy.Symbol(f"z[{a},{i}]"))
    u = sympy.Matrix(features, 1, lambda a, _: sympy.Symbol(f"u[{a}]"))
    e = sympy.Matrix(1, tokens, lambda _, i: sympy.Symbol(f"e[{i}]"))
    inputs = law.root("R") * Z
    tokens_of = inputs.col_join(u.T * inputs + law.root("s") * e)
    G = tokens_of * tokens_of.T / tokens
    value = sympy.Poly((G.T * sympy.Matrix(Y)).trace() + u[j], *Z, *u, *e)
    return integrated(value * value)


def lifted_minimiser(j: int, law: RegressionLaw) -> Any:
    """-c_j D_j."""
    Y = sympy.zeros(law.d + 1, law.d + 1)
    Y[law.d, j] = -1 / ((1 + sympy.Rational(1, law.n)) * law.Sigma[j, j] + noise_level(law) / law.n)
    return Y


def lifted_products(weights: Weights) -> list[Any]:
    """p q_j^T for every j."""
    p = sympy.Matrix([*weights.p0, weights.p1])
    columns = weights.Q1.col_join(weights.q2)
    return [p * columns[:, j].T for j in range(columns.cols)]


def theorems() -> tuple[ArguedTheorem, ...]:
    """The lifted problem, and what is wrong with it as printed."""
    return (
        ArguedTheorem(
            name="one_layer_loss_lifts_to_a_convex_problem",
            system=PAPER,
            reference="Ahn et al. (2023), proof of Theorem 1, arXiv 2306.00297, with noise and the weights lam_j",
            statement=(
                "For Omega = I and Sigma = diag(lam) the one-layer loss is sum_j lam_j f_j(p q_j^T), f_j(Y) = E "
                "(<G, Y> "
                "+ w_j)^2 convex in Y; -c_j e_{d+1} e_j^T, c_j = 1 / ((1 + 1/n) lam_j + tau/n), minimises f_j, "
                "with the "
                "value (lam_j + tau) / ((n + 1) lam_j + tau), and p = e_{d+1}, q_j = -c_j e_j attain all minima "
                "at once."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, lam, sigma2, P and Q",
                "exact": "lifted losses integrated entry by entry: their sum, their minima, drawn Y above them",
                "float": "the float64 layer's loss, enclosed, is the sum of the lifted ones; without lam_j it is not",
            },
            slips={
                "the weights lam_j dropped": lambda: _lifted_sum(_DRAWN, _LAW, lambda _: 1) != loss(_DRAWN, _LAW),
                "1 / n dropped from <G, D_j>": lambda: _excess_at(_LAW.n) > 0,
                "n - 1 tokens": lambda: _excess_at(1 - sympy.Rational(1, _LAW.n)) > 0,
            },
            about=LAYER,
        ),
        ArguedTheorem(
            name="lifted_minimiser_is_unique_as_printed_is_false",
            system=PAPER,
            reference="Ahn et al. (2023), Lemmas 2 and 3, as reported: 'unique global minimum of f_j'",
            statement=(
                "f_j has more than one global minimiser: G is symmetric, so f_j(Y) = f_j(Y^T) = f_j(Y + A) for every "
                "antisymmetric A, and -c_j e_{d+1} e_j^T is not symmetric. For d = 1 the transpose is a layer: "
                "P_yx = 1, "
                "P_yy = 0, Q_yx = -c_1, no rescaling of the printed minimiser, with the same loss."
            ),
            argument=_symmetry_argument,
            exact_runs=_exact_symmetry_runs,
            float_runs=_float_symmetry_runs,
            over={
                "proof": "all n, d and Y",
                "exact": "lifted losses at -c_j D_j + A for drawn antisymmetric A, integrated entry by entry",
                "float": "the float64 layer of the transpose, d = 1, enclosed",
            },
            slips={
                "unique, as printed": lambda: _keeps_the_minimum(_antisymmetric(1)),
                "any A will do": lambda: not _keeps_the_minimum(sympy.ones(3, 3)),
            },
            about=LAYER,
        ),
    )


def _label(i: str) -> Products:
    """y_i = w^T x_i + eps_i."""
    return [(1, [w(f"c{i}"), X(f"c{i}", i)]), (1, [eps(i)])]


def _times(*polynomials: Products) -> Products:
    return [
        (sympy.Mul(*(c for c, _ in choice)), [factor for _, factors in choice for factor in factors])
        for choice in product(*polynomials)
    ]


def _v(a: Any, i: str) -> Products:
    return _times([(1 / n, [X(a, i)])], _label(i))


def _residual(j: str, mark: str) -> Products:
    """(p^T G q_j) + w[j], its inner indices marked."""
    a, b, i, k, l, m = (f"{name}{mark}" for name in ("a", "b", "i", "k", "l", "m"))
    return [
        (1 / n, [p0(a), X(a, i), X(b, i), Q1(b, j)]),
        *_times([(p1, [Q1(b, j)])], _v(b, k)),
        *_times([(1, [p0(a), q2(j)])], _v(a, l)),
        *_times([(p1 / n, [q2(j)])], _label(m), [(c, _relabelled(f, m)) for c, f in _label(m)]),
        (1, [w(j)]),
    ]


def _relabelled(factors: Sequence[Factor], i: str) -> list[Factor]:
    """A second label of the same sample: its coordinate index is another one."""
    return [
        f._replace(indices=tuple(x._replace(label=f"{x.label}'") if x.label == f"c{i}" else x for x in f.indices))
        for f in factors
    ]


def _argument() -> Sequence[Equation | Inference]:
    j, k, l = Free("j"), Free("k"), Free("l")
    lam_j, tau = eigenvalue("j"), power_sum(1) + sigma2
    c = 1 / ((1 + 1 / n) * lam_j + tau / n)
    blocks: dict[str, Products] = {
        "v[k]": _v(k, "q"),
        "S[k, l]": [(1 / n, [X(k, "q"), X(l, "q")])],
        "g": _times([(1 / n, [])], _label("q"), [(a, _relabelled(f, "q")) for a, f in _label("q")]),
    }
    residual = [(1, [w(j)]), *((-c * a, f) for a, f in _v(j, "i"))]
    other = [(1, [w(j)]), *((-c * a, f) for a, f in _v(j, "o"))]
    return (
        Equation(
            "given the context, E over x_query of the forward pass' squared error is sum_j lam_j (p^T G q_j + w[j])^2",
            _error_given_context(),
            summed(_times([(1, [lam("j")])], _residual("j", ""), _residual("j", "2"))),
        ),
        Inference(
            "so the loss is sum_j lam_j f_j(p q_j^T), at least the sum of the minima of the convex f_j over all Y"
        ),
        *(
            Equation(
                f"at Y = -c_j D_j, <G, Y> = -c_j v[j], the derivative of f_j to the blocks {name} of Y vanishes: "
                f"c_j E v[j] {name} = E w[j] {name}",
                expectation(summed(_times([(c, [])], _v(j, "i"), block)), _FAMILIES),
                expectation(summed(_times([(1, [w(j)])], block)), _FAMILIES),
            )
            for name, block in blocks.items()
        ),
        Inference("a convex function has a global minimum where its derivative vanishes"),
        Equation(
            "the minimum of f_j is (lam_j + tau) / ((n + 1) lam_j + tau)",
            expectation(summed(_times(residual, other)), _FAMILIES),
            summed([((lam_j + tau) / ((n + 1) * lam_j + tau), [])]),
        ),
        Inference("p = e_{d+1}, q_j = -c_j e_j give p q_j^T = -c_j D_j for all j at once: the loss attains the sum"),
    )


def _error_given_context() -> IndexSum:
    """E over x_query of (prediction - w^T x_query)^2, the context left as it is; the sign of the error is free."""
    prompt, target = regression_prompt()
    error = indexed(normal_form(forward(with_letters(OneLayerAttention), prompt) - target))
    return expectation(error * error, [QUERY])


def _symmetry_argument() -> Sequence[Equation | Inference]:
    A = Tensor("A", "dd")
    return (
        Equation(
            "<S, A_xx> = <S, A_xx^T>: S = X X^T / n is symmetric",
            summed([(1 / n, [X("a", "i"), X("b", "i"), A("a", "b")])]),
            summed([(1 / n, [X("a", "i"), X("b", "i"), A("b", "a")])]),
        ),
        Inference(
            "so <G, A> = -<G, A> = 0 for an antisymmetric A: its blocks A_xy = -A_yx^T meet the same v, and A_yy = 0; "
            "<G, Y + A> = <G, Y>"
        ),
        Inference("-c_j D_j + t (D_j - D_j^T) is a minimiser for every t, the transpose at t = c_j among them"),
    )


_LAW = RegressionLaw.of_roots(2, [[_HALF, 0], [0, 2]], sympy.eye(2), _HALF)
_DRAWN = Weights([[_HALF, -1]], sympy.Rational(3, 4), [[1, _HALF], [-_HALF, 2]], [[_HALF, 1]])


def _lifted_sum(weights: Weights, law: RegressionLaw, weight: Callable[[Any], Any] = lambda value: value) -> Any:
    """sum_j lam_j f_j(p q_j^T)."""
    products = enumerate(lifted_products(weights))
    return sum(weight(law.Sigma[j, j]) * lifted_loss(j, Y, law) for j, Y in products)


def _excess_at(factor: Any) -> Any:
    """How far f_0 is above its minimum at a multiple of the minimiser."""
    best = lifted_minimiser(0, _LAW)
    return lifted_loss(0, factor * best, _LAW) - lifted_loss(0, best, _LAW)


def _antisymmetric(scale: Any) -> Any:
    return sympy.Matrix(3, 3, lambda a, b: scale * (a - b) * (a + b + 1))


def _keeps_the_minimum(A: Any) -> bool:
    best = lifted_minimiser(1, _LAW)
    return bool(lifted_loss(1, best + A, _LAW) == lifted_loss(1, best, _LAW))


def _diagonal_law(rng: np.random.Generator, number: int) -> RegressionLaw:
    tokens, features, s = ((1, 1, 1), (2, 1, 1), (1, 2, 0), (2, 2, 1), (1, 2, 1))[number % 5]
    roots = sympy.diag(*(sympy.Rational(int(rng.integers(1, 5)), 2) for _ in range(features)))
    return RegressionLaw.of_roots(tokens, roots, sympy.eye(features), sympy.Rational(s * int(rng.integers(1, 4)), 2))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = _diagonal_law(rng, number)
        weights = drawn_weights(rng, law.d)
        sums = _lifted_sum(weights, law)
        yield Run(f"the sum, {weights}, {law}", bool(sums == integrated_loss(attention(weights), law)))
        minima = [lifted_loss(j, lifted_minimiser(j, law), law) for j in range(law.d)]
        total = sum(law.Sigma[j, j] * value for j, value in enumerate(minima))
        yield Run(f"the minima, {law}", bool(total == least_loss(law)))
        Y = sympy.Matrix(law.d + 1, law.d + 1, lambda a, b: sympy.Rational(int(rng.integers(-4, 5)), 4))
        yield Run(f"Y = {Y.tolist()}, {law}", bool(lifted_loss(0, Y, law) >= minima[0]))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = _diagonal_law(rng, number % 3)
        weights = drawn_weights(rng, law.d)
        low, high = float_bounds(weights, law)
        yield Run(f"the sum, {weights}, {law}", bool(low <= _lifted_sum(weights, law) <= high))
        if law.Sigma != sympy.eye(law.d):
            without = _lifted_sum(weights, law, lambda _: 1)
            yield Run(f"without lam_j, {weights}, {law}", bool(low <= without <= high), is_control=True)


def _exact_symmetry_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = _diagonal_law(rng, number)
        B = sympy.Matrix(law.d + 1, law.d + 1, lambda a, b: sympy.Rational(int(rng.integers(-4, 5)), 4))
        best = lifted_minimiser(law.d - 1, law)
        least = lifted_loss(law.d - 1, best, law)
        yield Run(f"A = B - B^T, B = {B.tolist()}, {law}", bool(lifted_loss(law.d - 1, best + B - B.T, law) == least))
        yield Run(f"the transpose, {law}", bool(lifted_loss(law.d - 1, best.T, law) == least))
        moved = lifted_loss(law.d - 1, best + sympy.eye(law.d + 1), law)
        yield Run(f"a symmetric change, {law}", bool(moved == least), is_control=True)


def _float_symmetry_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = _diagonal_law(rng, number % 2)
        transposed = rounded(Weights([[1]], 0, [[0]], [[lifted_minimiser(0, law)[1, 0]]]))
        low, high = float_bounds(transposed, law)
        yield Run(f"the transpose, {law}", bool(low <= loss(transposed, law) <= high))
        zero = float_bounds(Weights([[0]], 0, [[0]], [[0]]), law)
        yield Run(f"no prediction, {law}", bool(zero[0] <= least_loss(law) <= zero[1]), is_control=True)
