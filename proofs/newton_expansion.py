"""The theorem on the expansion of Newton's iterates in powers of X X^T, and the printed expansions.

The iterates are polynomials in S = X X^T: M_k = p_k(S), where p_0 = alpha s and p_(k+1) = 2 p_k - s p_k^2, since to
put S for s is a homomorphism of rings. So it is enough to expand p_k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import comb
from typing import Any, TypeAlias, final

import numpy as np
import sympy

from constructions.block import Block, compare
from constructions.comparison import Verdict
from constructions.construction import Construction, forward
from constructions.newton_as_printed import FirstIterateAsPrinted, SecondIterateAsPrinted
from constructions.newton_expansion import expansion_coefficients, odd_powers
from constructions.newton_gram import NewtonFromGramMasked
from constructions.prompt import Prompt
from numerics.instances import Sizes, float_prompt, rational_prompt
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock, contains
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, larger, timed
from proofs.formula import plain
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

Coefficients: TypeAlias = Callable[[int], tuple[int, ...]]
"""From the number of steps to the coefficients of alpha^j S^(2 j - 1)."""

MOST_STEPS = 8
"""The largest k at which the coefficients are held against the recursion."""

PRINTED = {1: FirstIterateAsPrinted.coefficients, 2: SecondIterateAsPrinted.coefficients}
"""The printed coefficients, by k."""

SLIPS: dict[str, Coefficients] = {
    "signs that do not alternate": lambda k: tuple(map(abs, expansion_coefficients(k))),
    "signs reversed": lambda k: tuple(-c for c in expansion_coefficients(k)),
    "top power left out": lambda k: expansion_coefficients(k)[: max(2**k - 1, 1)],
    "2 k in place of 2^k": lambda k: tuple((-1) ** (j + 1) * comb(2 * k, j) for j in range(1, 2 * k + 1)) or (1,),
    "2^(k + 1) in place of 2^k": lambda k: expansion_coefficients(k + 1),
    "M_1 as printed": lambda k: PRINTED[1] if k == 1 else expansion_coefficients(k),
    "M_2 as printed": lambda k: PRINTED[2] if k == 2 else expansion_coefficients(k),
}
"""Slips in the coefficients, each of which a run of the network at some k <= 3 must refute."""

_STEPS = range(4)
"""The k at which the network is run."""


def coefficients_by_recursion(steps: int) -> dict[tuple[int, int], int]:
    """p_k by its recursion: (power of alpha, power of s) -> coefficient, zeros left out."""
    held = {(1, 1): 1}
    for _ in range(steps):
        following = {powers: 2 * c for powers, c in held.items()}
        for (i, s), c in held.items():
            for (j, t), other in held.items():
                powers = (i + j, s + t + 1)
                following[powers] = following.get(powers, 0) - c * other
        held = {powers: c for powers, c in following.items() if c}
    return held


@final
@dataclass(frozen=True, kw_only=True)
class NewtonExpansion(Theorem):
    """The coefficients of every Newton iterate from M_0 = alpha S, for every k."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation")

    @property
    def construction(self) -> Construction:
        return NewtonFromGramMasked(alpha=1, steps=2)

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": lambda: self._proof(),
            "exact": lambda: self._exact(settings),
            "float": lambda: self._float(settings),
            "refutation": lambda: self._refutation(settings),
        }[kind]
        return timed(gather)

    @cached_property
    def steps(self) -> tuple[tuple[str, Any, Any], ...]:
        """The proof: (what is claimed, left side, right side)."""
        s, alpha, p = sympy.symbols("s alpha p")
        k = sympy.Symbol("k", integer=True, nonnegative=True)
        N, j = sympy.symbols("N j", integer=True, positive=True)
        start = 1 - alpha * s**2
        sign, C = (-1) ** j, sympy.binomial
        return (
            ("1 - s p_0 = 1 - alpha s^2", 1 - s * (alpha * s), start),
            ("1 - s p_(k+1) = (1 - s p_k)^2, for any p = p_k", 1 - s * (2 * p - s * p**2), (1 - s * p) ** 2),
            (
                "so 1 - s p_k = (1 - alpha s^2)^(2^k) by induction: its square is the next",
                (start ** (2**k)) ** 2,
                start ** (2 ** (k + 1)),
            ),
            (
                "(1 - z)^N has the coefficients (-1)^j C(N, j), as 1 - z does: by induction those of (1 - z) (1 - z)^N "
                "for 1 <= j <= N",
                sign * C(N, j) - (-1) ** (j - 1) * C(N, j - 1),
                sign * C(N + 1, j),
            ),
            ("and that of z^0", C(N, 0), C(N + 1, 0)),
            ("and that of z^(N+1)", -((-1) ** N) * C(N, N), (-1) ** (N + 1) * C(N + 1, N + 1)),
            (
                "for z = alpha s^2, N = 2^k: s p_k = 1 - (1 - z)^N has no constant, and -(-1)^j C(N, j) alpha^j at "
                "s^(2 j)",
                -sign * C(N, j),
                (-1) ** (j + 1) * C(N, j),
            ),
        )

    def _proof(self) -> Evidence:
        over = f"every k, n and d, and any alpha; {len(self.steps)} identities"
        open_steps = [text for text, left, right in self.steps if not _equal(left, right)]
        if open_steps:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(open_steps)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _exact(self, settings: Settings) -> Evidence:
        for k in range(MOST_STEPS + 1):
            claimed = {(j, 2 * j - 1): c for j, c in enumerate(expansion_coefficients(k), start=1)}
            if claimed != coefficients_by_recursion(k):
                return Evidence("exact", FAILS, reason=f"the recursion gives other coefficients at k = {k}")
        runs = _runs(settings)
        over = f"k = 0..{MOST_STEPS} by the recursion; {len(runs)} runs of the network, k = 0..{max(_STEPS)}"
        for network, prompt in runs:
            comparison = compare(forward(network, prompt), _claimed(network, prompt, expansion_coefficients))
            if comparison.verdict is not Verdict.EQUAL:
                return Evidence("exact", FAILS, over, len(runs), comparison.gap, reason=f"at k = {network.steps}")
        return Evidence("exact", HOLDS, over, len(runs), Fraction(0))

    def _float(self, settings: Settings) -> Evidence:
        rng = np.random.default_rng((settings.seed, 1))
        worst = bound = None
        blind = set(SLIPS)
        count = _number_of_runs(settings)
        for number in range(count):
            network = NewtonFromGramMasked(alpha=Fraction(1, 64), steps=_STEPS[number % len(_STEPS)])
            raw = float_prompt(rng, *_sizes(rng))
            computed = forward(network, raw.lifted(RoundedBlock))
            exact_prompt = raw.lifted(RationalBlock)
            comparison = contains(computed, _claimed(network, exact_prompt, expansion_coefficients))  # type: ignore[arg-type]
            worst, bound = larger(worst, comparison.gap), larger(bound, comparison.bound)
            if comparison.verdict is not Verdict.EQUAL:
                return Evidence(
                    "float",
                    FAILS,
                    f"k = {network.steps}",
                    number + 1,
                    worst,
                    bound,
                    reason="outside the rounding bound",
                )
            blind -= {
                name
                for name in blind
                if contains(computed, _claimed(network, exact_prompt, SLIPS[name])).verdict is Verdict.DIFFERENT  # type: ignore[arg-type]
            }
        if blind:
            reason = f"uninformative: no bound rejects {', '.join(sorted(blind))}"
            return Evidence("float", NOT_RUN, reason=reason)
        over = f"the float64 network, k = 0..{max(_STEPS)}, encloses the expansion and rejects every slip"
        return Evidence("float", HOLDS, over, count, worst, bound)

    def _refutation(self, settings: Settings) -> Evidence:
        runs = _runs(settings)
        survivors = [
            name
            for name, slip in SLIPS.items()
            if all(compare(forward(*run), _claimed(*run, slip)).verdict is Verdict.EQUAL for run in runs)
        ]
        over = f"{len(SLIPS)} slips in the coefficients: {', '.join(SLIPS)}"
        if survivors:
            return Evidence("refutation", FAILS, over, len(SLIPS), reason=f"not refuted: {', '.join(survivors)}")
        return Evidence("refutation", HOLDS, over, len(SLIPS))

    def shown(self) -> str:
        lines = ["Proof, of polynomials p_k in s with M_k = p_k(X X^T)", ""]
        for text, left, right in self.steps:
            lines += [f"  {text}", f"    left   {plain(left)}", f"    right  {plain(right)}", ""]
        lines += ["Coefficients of alpha^j S^(2 j - 1), j = 1, 2, ...", ""]
        lines += [f"  M_{k}: {', '.join(map(str, expansion_coefficients(k)))}" for k in _STEPS]
        return "\n".join(lines)


def _equal(left: Any, right: Any) -> bool:
    return bool(sympy.simplify(sympy.combsimp(sympy.expand(left) - sympy.expand(right))) == 0)


def _sizes(rng: np.random.Generator) -> Sizes:
    return Sizes(*(int(size) for size in rng.integers(1, 4, 3)))


def _number_of_runs(settings: Settings) -> int:
    """At least two at every k: a slip may be one at a single k."""
    return max(settings.instances, 2 * len(_STEPS))


def _runs(settings: Settings) -> list[tuple[NewtonFromGramMasked, Prompt]]:
    """Networks and rational prompts, lifted."""
    rng = np.random.default_rng((settings.seed, 0))
    return [
        (
            NewtonFromGramMasked(alpha=Fraction(int(rng.integers(1, 5)), 3), steps=_STEPS[number % len(_STEPS)]),
            rational_prompt(rng, *_sizes(rng)).lifted(),
        )
        for number in range(_number_of_runs(settings))
    ]


def _claimed(network: NewtonFromGramMasked, prompt: Prompt, coefficients: Coefficients) -> Block:
    """The prediction Y X^T M x_query by coefficients of M, at a lifted prompt."""
    M = odd_powers(coefficients(network.steps), prompt.X @ prompt.X.T, network.alpha)
    return network.predict(M, prompt)


def theorems() -> tuple[Theorem, ...]:
    """The expansion, and what is printed of its first two cases."""
    return (
        NewtonExpansion(
            name="newton_iterates_expand_in_odd_powers_of_the_gram_matrix",
            system="this project",
            reference="Fu et al. (2024), appendix B.3, with the coefficients corrected, and for every k",
            statement=(
                "From M_0 = alpha S, S = X X^T, after k Newton steps M_k = sum over j = 1, ..., 2^k of "
                "(-1)^(j + 1) C(2^k, j) alpha^j S^(2 j - 1); the largest power is 2^(k + 1) - 1."
            ),
        ),
        RefutedStatement(
            name="moment_expansion_of_newton_as_printed_is_false",
            system="Fu et al. 2024",
            reference="Fu et al. (2024), appendix B.3, arXiv 2310.17086",
            statement=(
                "As printed, M_1 = 2 alpha S - 4 alpha^2 S^3 and M_2 = 4 alpha S - 12 alpha^2 S^3 + 16 alpha^3 S^5 - "
                "16 alpha^4 S^7. The coefficients are 2, -1 and 4, -6, 4, -1; the powers are right."
            ),
            printed=(FirstIterateAsPrinted(alpha=1), SecondIterateAsPrinted(alpha=1)),
            corrected="newton_iterates_expand_in_odd_powers_of_the_gram_matrix",
        ),
    )
