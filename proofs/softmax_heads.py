"""Softmax heads in place of linear ones, after von Oswald et al. (2023), appendix A.9: limits with error bounds.

Symbols: scores z_i with base weights w_i > 0, s_i(eps) = w_i e^(eps z_i) / sum_j w_j e^(eps z_j), A_k = sum_j w_j z_j^k
e^(eps z_j), mean mu = A_1 / A_0, variance v and third central moment c of z under s(eps); R = max z - min z. A sink is
one more key of score 0 and base weight e^b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy
from flint import arb

from constructions.block import Block
from constructions.prompt import Prompt
from constructions.softmax_copying import SoftmaxMerging, tokens_held
from constructions.softmax_heads import SoftmaxDescent, SoftmaxDescentWithSink
from numerics.balls import as_arb
from proofs.limits import LimitTheorem, Step
from proofs.theorem import Theorem


def plain_step(network: Any, prompt: Prompt) -> Block:
    """The prediction of one gradient step from zero, (eta / n) Y X^T x_query."""
    return (prompt.Y @ (prompt.X.T @ prompt.x_query)).scale(network.eta / prompt.n)


def centred_step(network: Any, prompt: Prompt) -> Block:
    """The same with the mean taken off the keys, (eta / n) Y (z - mean(z))."""
    z = prompt.X.T @ prompt.x_query
    ones = z.ones(prompt.n, 1)
    return (prompt.Y @ (z - (ones @ (ones.T @ z)).scale(Fraction(1, prompt.n)))).scale(network.eta / prompt.n)


def remainder_bound(network: Any, prompt: Prompt) -> Block:
    """(eta / n) max_row sum_i |y_i| times eps^2 R^3 e^(eps R) / 3."""
    low, high = _range(prompt)
    return _times_targets(network, prompt, _remainder(as_arb(network.eps), high - low))


def sink_bound(network: Any, prompt: Prompt, decay: int = 1) -> Block:
    """(eta / n) max_row sum_i |y_i| times 2 n e^-b max |z| + eps^2 R^3 e^(eps R) / 3, 0 counted among the scores.

    With another ``decay`` than 1, e^-(decay b) takes the place of e^-b.
    """
    low, high = _range(prompt)
    low, high = low.min(arb(0)), high.max(arb(0))
    sunk = 2 * prompt.n * (-decay * as_arb(network.b)).exp() * high.max(-low)
    return _times_targets(network, prompt, sunk + _remainder(as_arb(network.eps), high - low))


def cubic_bound(network: Any, prompt: Prompt) -> Block:
    """What the bound would be if the error were of third order in eps: the remainder bound times eps."""
    return remainder_bound(network, prompt).scale(network.eps)


def halved_sink_bound(network: Any, prompt: Prompt) -> Block:
    """What the bound would be if the sink's error fell like e^-2b."""
    return sink_bound(network, prompt, decay=2)


def _range(prompt: Prompt) -> tuple[arb, arb]:
    """The smallest and the largest score."""
    scores = [entry for row in (prompt.X.T @ prompt.x_query).entry for entry in row]
    low, high = scores[0], scores[0]
    for score in scores[1:]:
        low, high = low.min(score), high.max(score)
    return low, high


def _remainder(eps: arb, R: arb) -> arb:
    return eps**2 * R**3 * (eps * R).exp() / 3


def _times_targets(network: Any, prompt: Prompt, error: arb) -> Block:
    """The error of every score, at most, as an error of the prediction."""
    largest = arb(0)
    for row in prompt.Y.entry:
        largest = largest.max(sum((abs(entry) for entry in row), start=arb(0)))
    rate = as_arb(network.eta) / prompt.n
    return prompt.X.fill(1, 1, lambda i, j: rate * largest * error)


def softmax_derivatives() -> Sequence[Step]:
    """The third derivative of a softmax weight, and the bound on it, for any number of keys and any base weights."""
    eps, z, w, a, b, mu = sympy.symbols("eps z w a b mu", real=True)
    A = [sympy.Function(f"A_{k}")(eps) for k in range(5)]
    moment_rule = {sympy.Derivative(A[k], eps): A[k + 1] for k in range(4)}

    def derivative(expression: Any) -> Any:
        return sympy.diff(expression, eps).subs(moment_rule)

    s = w * sympy.exp(eps * z) / A[0]
    mean = A[1] / A[0]
    variance = A[2] / A[0] - mean**2
    third = A[3] / A[0] - 3 * mean * A[2] / A[0] + 2 * mean**3
    return (
        ("A_k' = A_(k+1), so s' = s (z - mu)", derivative(s), s * (z - mean)),
        ("mu' = v", derivative(mean), variance),
        ("v' = c", derivative(variance), third),
        (
            "s''' = s ((z - mu)^3 - 3 v (z - mu) - c)",
            derivative(derivative(derivative(s))),
            s * ((z - mean) ** 3 - 3 * variance * (z - mean) - third),
        ),
        (
            "v <= (b - mu) (mu - a) <= R^2 / 4 for scores in [a, b], R = b - a: the mean of (b - z) (z - a) >= 0 is "
            "(b - mu) (mu - a) - v, and R^2 / 4 is larger than (b - mu) (mu - a) by a square",
            (b - a) ** 2 / 4 - (b - mu) * (mu - a),
            ((a + b) / 2 - mu) ** 2,
        ),
        (
            "|c| <= R v <= R^3 / 4 and |z - mu| <= R, so |s'''| <= s (R^3 + 3 R^3 / 4 + R^3 / 4) = 2 R^3 s",
            1 + sympy.Rational(3, 4) + sympy.Rational(1, 4),
            sympy.Integer(2),
        ),
    )


def centred_steps() -> Sequence[Step]:
    """The proof for two softmax heads."""
    eps, R, n, third = sympy.symbols("eps R n D", positive=True)
    return (
        *softmax_derivatives(),
        (
            "s(eps) - s(-eps) = 2 eps s'(0) + (eps^3 / 6) (s'''(xi_1) + s'''(xi_2)) by Taylor's theorem at 0 to both "
            "sides; times n / (2 eps), with n s'(0) = z - mean(z), the error is at most n eps^2 D / 6 for |s'''| <= D",
            n / (2 * eps) * eps**3 / 6 * 2 * third,
            n * eps**2 * third / 6,
        ),
        (
            "s_i <= e^(eps R) / n, so D = 2 R^3 e^(eps R) / n, and the error of each score is at most "
            "eps^2 R^3 e^(eps R) / 3",
            n * eps**2 / 6 * (2 * R**3 * sympy.exp(eps * R) / n),
            eps**2 * R**3 * sympy.exp(eps * R) / 3,
        ),
    )


def sink_steps() -> Sequence[Step]:
    """The proof for two softmax heads with a sink."""
    eps, R, n, E = sympy.symbols("eps R n E", positive=True)
    z, zbar = sympy.symbols("z zbar", real=True)
    rho = E / (n + E)
    mean = n * zbar / (n + E)
    return (
        *softmax_derivatives(),
        (
            "with E = e^b and rho = E / (n + E), (E / (2 eps)) (s(eps) - s(-eps)) is E s'(0) up to the remainder, and "
            "E s'(0) = rho (z - n zbar / (n + E)) = z - (1 - rho) z - rho (1 - rho) zbar",
            rho * (z - mean),
            z - (1 - rho) * z - rho * (1 - rho) * zbar,
        ),
        (
            "1 - rho = n / (n + E) <= n e^-b, so this differs from z by at most 2 n e^-b max |z|",
            1 - rho,
            n / (n + E),
        ),
        (
            "s_i <= e^(eps R) / (n + E), so the remainder is at most (E eps^2 / 6) 2 R^3 e^(eps R) / (n + E), which is "
            "rho times eps^2 R^3 e^(eps R) / 3",
            E * eps**2 / 6 * (2 * R**3 * sympy.exp(eps * R) / (n + E)),
            rho * eps**2 * R**3 * sympy.exp(eps * R) / 3,
        ),
    )


def merged_tokens(network: Any, prompt: Prompt) -> Block:
    """The tokens as linear copying leaves them: (x_i, 0 | 0, y_i), nothing, and the query with its position code."""
    embedded = network.embed(prompt)
    places = {
        ("x", "inputs"): prompt.X,
        ("y2", "inputs"): prompt.Y,
        ("x", "query"): prompt.x_query,
        ("p", "query"): embedded["p", "query"],
    }
    return tokens_held(replace(embedded, blocks=places))


def copying_bound(network: Any, prompt: Prompt) -> Block:
    """(T - 1) e^-beta times the largest difference of two values, 2 for position codes: both heads move them."""
    largest = arb(2)
    for blocks in ((prompt.X, prompt.x_query), (prompt.Y,)):
        low, high = arb(0), arb(0)
        for entry in (entry for block in blocks for row in block.entry for entry in row):
            low, high = low.min(entry), high.max(entry)
        largest = largest.max(high - low)
    error = (network.tokens(prompt) - 1) * (-as_arb(network.beta)).exp() * largest
    return prompt.X.fill(1, 1, lambda i, j: error)


def halved_copying_bound(network: Any, prompt: Prompt) -> Block:
    """What the bound would be if the error fell like e^-2beta."""
    (bound,) = copying_bound(network, prompt).entry.ravel()
    return prompt.X.fill(1, 1, lambda i, j: bound * (-as_arb(network.beta)).exp())


def unmoved_tokens(network: Any, prompt: Prompt) -> Block:
    """The tokens as they were."""
    return tokens_held(network.embed(prompt))


def copying_steps() -> Sequence[Step]:
    """The proof for copying by softmax heads, from the closed form that is proved of the network."""
    E, T, v, total = sympy.symbols("E T v total", positive=True)
    share = 1 / (E + T - 1)
    return (
        (
            "with E = e^beta, each head gives (E - 1) share v_found + share sum_i v_i, share = 1 / (E + T - 1), so its "
            "error is share (sum_i v_i - T v_found)",
            (E - 1) * share * v + share * total - v,
            share * (total - T * v),
        ),
        (
            "sum_i v_i - T v_found = sum_i (v_i - v_found) has T - 1 terms that are not zero, each at most the largest "
            "difference D of two values; and (T - 1) share D <= (T - 1) e^-beta D since E + T - 1 >= E",
            1 / share - E,
            T - 1,
        ),
    )


_ETA = Fraction(1, 2)
_EPS = tuple(Fraction(1, 4**k) for k in range(1, 8, 2))


def theorems() -> tuple[Theorem, ...]:
    """Two softmax heads, without and with a sink."""
    return (
        LimitTheorem(
            name="two_softmax_heads_take_the_centred_gradient_step",
            system="von Oswald et al. 2023",
            reference=(
                "von Oswald et al. (2023), appendix A.9, where the limit is the plain step; corrected, with a bound"
            ),
            statement=(
                "(n / (2 eps)) (softmax(eps z) - softmax(-eps z)) is within eps^2 R^3 e^(eps R) / 3 of z - mean(z) in "
                "every entry, R = max z - min z: two softmax heads tend to the gradient step with mean-centred keys, "
                "not to the plain one."
            ),
            networks=[SoftmaxDescent(eta=_ETA, eps=eps) for eps in _EPS],
            limit=centred_step,
            bound=remainder_bound,
            wrong={
                "the plain gradient step": (plain_step, remainder_bound),
                "an error of third order": (centred_step, cubic_bound),
            },
            steps=centred_steps,
        ),
        LimitTheorem(
            name="a_sink_turns_two_softmax_heads_into_a_gradient_step",
            system="this project",
            reference="the repair of von Oswald et al. (2023), appendix A.9",
            statement=(
                "With a sink of zero value and score b, (e^b / (2 eps)) (softmax(eps z) - softmax(-eps z)) is within "
                "2 n e^-b max |z| + eps^2 R^3 e^(eps R) / 3 of z, R over the scores and 0: the plain gradient step."
            ),
            networks=[
                SoftmaxDescentWithSink(eta=_ETA, eps=Fraction(1, 2**k), b=b)
                for k, b in ((2, 4), (6, 4), (12, 8), (18, 12))
            ],
            limit=plain_step,
            bound=sink_bound,
            wrong={
                "the centred gradient step": (centred_step, sink_bound),
                "a sink's error of order e^-2b": (plain_step, halved_sink_bound),
            },
            steps=sink_steps,
        ),
        LimitTheorem(
            name="softmax_heads_with_a_sink_merge_alternating_prompt",
            system="von Oswald et al. 2023",
            reference=(
                "von Oswald et al. (2023), appendix A.5, where softmax counts as exact without a sink; with a bound"
            ),
            statement=(
                "Two softmax heads of scores beta and 0, with a sink for the tokens that copy nothing, merge the "
                "interleaved prompt of T tokens up to (T - 1) e^-beta times the largest difference of two values, in "
                "every entry of every token."
            ),
            networks=[SoftmaxMerging(beta=beta) for beta in (Fraction(1, 2), 3, 12, 30)],
            limit=merged_tokens,
            bound=copying_bound,
            wrong={
                "an error of order e^-2beta": (merged_tokens, halved_copying_bound),
                "tokens that are not moved": (unmoved_tokens, copying_bound),
            },
            steps=copying_steps,
        ),
    )
