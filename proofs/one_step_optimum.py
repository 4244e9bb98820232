"""The best single step: the step size of one gradient step that minimises the expected in-context loss, in closed form.

Symbols: n context tokens, d features, m targets; X (d, n) and x_query (d, 1) with independent symmetric coordinates of
variance s2 and kurtosis kap; teacher W_star (m, d) with E W_star^T W_star = m I; Y = W_star X; W_0 = 0.

    eta* = n / (s2 (n + d - 2 + kap))        L(eta*) = c m s2 d (d - 2 + kap) / (n + d - 2 + kap)

where the loss is c E |yhat - W_star x_query|^2: c = 1/2 in the authors' code, c = 1 in the paper's equation (5).

Reference: von Oswald et al. (2023), who search the step size on a grid; the closed form is this project's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import sympy

from constructions.construction import Construction, forward
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from proofs import words
from proofs.coordinate_moments import d, eta, expected_gram_trace, kap, m, n, s2
from proofs.enumerated_loss import FiniteInputs, enumerated_loss, float_loss_bounds
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, timed
from proofs.formula import plain, sum_written
from proofs.induction import normal_form
from proofs.rewriting import reduced, rule
from proofs.symbols import SymbolBlock
from proofs.theorem import Theorem


@dataclass(frozen=True)
class Convention:
    """How inputs are drawn and the loss is measured.

    Args:
        variance, kurtosis: of an input coordinate.
        factor: c, by which E |error|^2 is multiplied.
    """

    variance: Fraction
    kurtosis: Fraction
    factor: Fraction

    @classmethod
    def uniform(cls, half_width: Fraction, factor: Fraction) -> Convention:
        """Inputs from U(-half_width, half_width): variance half_width^2 / 3, kurtosis 9 / 5."""
        return cls(half_width**2 / 3, Fraction(9, 5), factor)


AUTHORS_CODE = Convention.uniform(Fraction(1, 2), Fraction(1, 2))
"""von Oswald et al., released code: U(-1/2, 1/2), loss (1/2) E |error|^2. All figures are in this convention."""

PAPER_TEXT = Convention.uniform(Fraction(1), Fraction(1))
"""von Oswald et al., text: U(-1, 1), loss E |error|^2."""

PAPER_INPUTS_HALVED_LOSS = Convention.uniform(Fraction(1), Fraction(1, 2))
"""Inputs as in the text, loss as in the code."""

GAUSSIAN = Convention(Fraction(1), Fraction(3), Fraction(1))
"""Standard normal inputs, loss E |error|^2: the setting of Ahn et al. and Mahankali et al."""

CONVENTIONS = {
    "authors' code": AUTHORS_CODE,
    "paper's text": PAPER_TEXT,
    "paper's inputs, code's loss": PAPER_INPUTS_HALVED_LOSS,
    "Gaussian": GAUSSIAN,
}
"""The conventions by name."""


def optimal_step_size(tokens: Any = n, features: Any = d, convention: Convention | None = None) -> Any:
    """eta* = n / (s2 (n + d - 2 + kap)), the step size of the least expected loss.

    Args:
        tokens, features: n and d, ints or symbols.
        convention: how inputs are drawn; None leaves s2 and kap as symbols.

    >>> optimal_step_size(10, 10, AUTHORS_CODE)
    200/33
    """
    return _specialised(n / (s2 * (n + d - 2 + kap)), tokens, features, convention)


def optimal_loss(tokens: Any = n, features: Any = d, convention: Convention | None = None, targets: Any = 1) -> Any:
    """The expected loss at eta*: c m s2 d (d - 2 + kap) / (n + d - 2 + kap).

    Args:
        tokens, features, targets: n, d and m, ints or symbols.
        convention: how inputs are drawn and the loss is measured; None leaves s2 and kap as symbols and has c = 1.

    >>> round(float(optimal_loss(10, 10, AUTHORS_CODE)), 4)
    0.2062
    """
    value = m * s2 * d * (d - 2 + kap) / (n + d - 2 + kap)
    factor = 1 if convention is None else sympy.Rational(convention.factor)
    return _specialised(value, tokens, features, convention, targets) * factor


def expected_loss(
    step_size: Any, tokens: Any = n, features: Any = d, convention: Convention | None = None, targets: Any = 1
) -> Any:
    """E |yhat - W_star x_query|^2 of one gradient step from zero, without the factor c, from the moments of X X^T."""
    value = m * s2 * (d - 2 * eta * expected_gram_trace(1) / n + eta**2 * expected_gram_trace(2) / n**2)
    return _specialised(value, tokens, features, convention, targets).subs(eta, step_size)


def _specialised(value: Any, tokens: Any, features: Any, convention: Convention | None, targets: Any = 1) -> Any:
    values = {n: tokens, d: features, m: targets}
    if convention is not None:
        values |= {s2: sympy.Rational(convention.variance), kap: sympy.Rational(convention.kurtosis)}
    return sympy.sympify(value).subs(values, simultaneous=True)


_CASES = (
    (FiniteInputs(Fraction(1), Fraction(1)), 1, 1),
    (FiniteInputs(Fraction(1), Fraction(1)), 2, 2),
    (FiniteInputs(Fraction(1), Fraction(1, 2)), 1, 2),
    (FiniteInputs(Fraction(1, 2), Fraction(1, 2)), 2, 1),
    (FiniteInputs(Fraction(2), Fraction(5, 9)), 3, 1),
    (FiniteInputs(Fraction(1), Fraction(1, 4)), 1, 2),
)
"""(law, n, d) at which the transformer's expected loss is enumerated; kurtosis 1, 2, 9/5 (uniform) and 4."""

_STEP_SIZES = (Fraction(1, 2), Fraction(1), Fraction(3))
"""Three step sizes determine a quadratic."""

WRONG_FORMS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "kurtosis taken as Gaussian": lambda: tuple(f.subs(kap, 3) for f in _closed_forms()),
    "kurtosis dropped": lambda: tuple(f.subs(kap, 2) for f in _closed_forms()),
    "variance dropped": lambda: tuple(f.subs(s2, 1) for f in _closed_forms()),
    "step size not multiplied by n": lambda: (_closed_forms()[0] / n, _closed_forms()[1]),
    "loss of the zero prediction": lambda: (_closed_forms()[0], s2 * d),
    "n and d exchanged": lambda: tuple(f.subs({n: d, d: n}, simultaneous=True) for f in _closed_forms()),
}
"""Slips in the closed form (eta*, loss at eta*), each of which the enumeration must refute."""


def _closed_forms() -> tuple[Any, Any]:
    return optimal_step_size(), s2 * d * (d - 2 + kap) / (n + d - 2 + kap)


@final
@dataclass(frozen=True, kw_only=True)
class OneStepOptimum(Theorem):
    """The closed form of the optimal step size and of its loss."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation", "closed_form")

    @property
    def construction(self) -> Construction:
        return GradientDescent(step_sizes=[1])

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": self._proof,
            "exact": self._exact,
            "float": self._float,
            "refutation": self._refutation,
            "closed_form": self._closed_form,
        }[kind]
        return timed(gather)

    @cached_property
    def steps(self) -> tuple[tuple[str, Any, Any], ...]:
        """The proof: (what is claimed, left side, right side), each side a normal form or a SymPy expression."""
        curvature = m * s2**3 * d * (n + d - 2 + kap) / n
        square = optimal_loss(targets=m) + curvature * (eta - optimal_step_size()) ** 2
        return (
            *_error_identities(),
            ("E tr X X^T = n d s2", expected_gram_trace(1), n * d * s2),
            (
                "E tr (X X^T)^2 = n d s2^2 (n + d - 2 + kap)",
                expected_gram_trace(2),
                n * d * s2**2 * (n + d - 2 + kap),
            ),
            (
                "with E x_query x_query^T = s2 I, E |error|^2 = m s2 (d - 2 (eta/n) E tr X X^T + (eta/n)^2 E tr "
                "(X X^T)^2) is a square "
                "plus its minimum",
                expected_loss(eta, targets=m),
                square,
            ),
        )

    def _proof(self) -> Evidence:
        open_steps = [text for text, left, right in self.steps if not _equal(left, right)]
        over = f"all n, d, m, every variance and kurtosis; {len(self.steps)} identities"
        if open_steps:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(open_steps)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _exact(self) -> Evidence:
        worst, count = Fraction(0), 0
        for inputs, tokens, features in _CASES:
            best = _fraction(optimal_step_size(tokens, features, _convention(inputs)))
            for step_size in (*_STEP_SIZES, best):
                count += 1
                claimed = _fraction(expected_loss(step_size, tokens, features, _convention(inputs)))
                worst = max(worst, abs(enumerated_loss(inputs, tokens, features, step_size) - claimed))
            least = _fraction(optimal_loss(tokens, features, _convention(inputs)))
            worst = max(worst, abs(enumerated_loss(inputs, tokens, features, best) - least))
        over = f"the transformer's loss enumerated over {len(_CASES)} finite input laws, n 1..3, d 1..2"
        return Evidence(
            "exact",
            HOLDS if worst == 0 else FAILS,
            over,
            count,
            worst,
            reason=None if worst == 0 else "the losses differ",
        )

    def _float(self) -> Evidence:
        worst, bound = Fraction(0), Fraction(0)
        for inputs, tokens, features in _CASES:
            best = _fraction(optimal_step_size(tokens, features, _convention(inputs)))
            low, high = float_loss_bounds(inputs, tokens, features, best)
            claimed = _fraction(optimal_loss(tokens, features, _convention(inputs)))
            wrong = [_fraction(form()[1].subs(_values(inputs, tokens, features))) for form in WRONG_FORMS.values()]
            if any(low <= value <= high for value in wrong if value != claimed):
                return Evidence("float", NOT_RUN, reason="uninformative: the bound does not reject a wrong closed form")
            worst, bound = max(worst, abs((low + high) / 2 - claimed)), max(bound, (high - low) / 2)
            if not low <= claimed <= high:
                return Evidence(
                    "float",
                    FAILS,
                    f"n = {tokens}, d = {features}",
                    1,
                    float(worst),
                    float(bound),
                    reason=f"{claimed} is outside [{low}, {high}]",
                )
        over = f"the float64 transformer's loss over {len(_CASES)} finite input laws, enclosed"
        return Evidence("float", HOLDS, over, len(_CASES), float(worst), float(bound))

    def _refutation(self) -> Evidence:
        survivors = [name for name, form in WRONG_FORMS.items() if not _is_refuted(form())]
        over = f"{len(WRONG_FORMS)} slips in the closed form: {', '.join(WRONG_FORMS)}"
        if survivors:
            return Evidence("refutation", FAILS, over, len(WRONG_FORMS), reason=f"not refuted: {', '.join(survivors)}")
        return Evidence("refutation", HOLDS, over, len(WRONG_FORMS))

    def _closed_form(self) -> Evidence:
        values = [
            f"{name}: eta* = {optimal_step_size(10, 10, c)}, loss {float(optimal_loss(10, 10, c)):.5f}"
            for name, c in CONVENTIONS.items()
        ]
        slopes = [
            sympy.diff(expected_loss(eta, 10, 10, c), eta).subs(eta, optimal_step_size(10, 10, c))
            for c in CONVENTIONS.values()
        ]
        outcome = HOLDS if all(slope == 0 for slope in slopes) else FAILS
        return Evidence(
            "closed_form",
            outcome,
            f"n = d = 10; {'; '.join(values)}",
            len(CONVENTIONS),
            max(map(abs, slopes)),
        )

    def shown(self) -> str:
        lines = ["Proof", ""]
        for text, left, right in self.steps:
            lines += [f"  {text}", f"    left   {_written(left)}", f"    right  {_written(right)}", ""]
        lines += ["Values at n = d = 10", ""]
        for name, convention in CONVENTIONS.items():
            step, loss = optimal_step_size(10, 10, convention), optimal_loss(10, 10, convention)
            lines.append(f"  {name}: eta* = {step} = {float(step):.6g}, loss {loss} = {float(loss):.6g}")
        return "\n".join(lines)


def _error_identities() -> Iterator[tuple[str, words.Sum, words.Sum]]:
    """The transformer's error on Y = W_star X, and its square with E W_star^T W_star = m I, as normal forms."""
    X, W_star, x = (
        SymbolBlock.lift(Unspecified(*letter))
        for letter in (("X", "d", "n"), ("W_star", "m", "d"), ("x_query", "d", 1))
    )
    error = forward(GradientDescent(step_sizes=[eta]), Prompt(X, W_star @ X, x)) - W_star @ x
    shrunk = x - (X @ (X.T @ x)).scale(eta / n)
    yield (
        "the error is -W_star (I - (eta/n) X X^T) x_query",
        normal_form(error),
        normal_form(-(W_star @ shrunk)),
    )
    prior = rule(normal_form(W_star.T @ W_star), words.identity(d).scale(m))
    squared = reduced(normal_form(error.T @ error), [prior])
    text = (
        "with E W_star^T W_star = m I, |error|^2 has the expectation m x_query^T (I - (eta/n) X X^T)^2 x_query given X"
    )
    yield text, squared, normal_form((shrunk.T @ shrunk).scale(m))


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, words.Sum):
        return bool(left == right)
    return bool(sympy.simplify(left - right) == 0)


def _written(side: Any) -> str:
    return sum_written(side) if isinstance(side, words.Sum) else plain(side)


def _convention(inputs: FiniteInputs) -> Convention:
    return Convention(inputs.variance, inputs.kurtosis, Fraction(1))


def _values(inputs: FiniteInputs, tokens: int, features: int) -> dict[Any, Any]:
    convention = _convention(inputs)
    return {
        n: tokens,
        d: features,
        s2: sympy.Rational(convention.variance),
        kap: sympy.Rational(convention.kurtosis),
    }


def _fraction(value: Any) -> Fraction:
    value = sympy.Rational(value)
    return Fraction(int(value.p), int(value.q))


def _is_refuted(form: tuple[Any, Any]) -> bool:
    """Whether on some finite law the step size is not the minimiser, or the loss not its loss."""
    for inputs, tokens, features in _CASES:
        values = _values(inputs, tokens, features)
        step, loss = (_fraction(sympy.sympify(part).subs(values)) for part in form)
        points = [(t, enumerated_loss(inputs, tokens, features, t)) for t in _STEP_SIZES]
        minimiser, least = _vertex(points)
        if step != minimiser or loss != least:
            return True
    return False


def _vertex(points: list[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction]:
    """The minimum of the quadratic through three points."""
    (t0, f0), (t1, f1), (t2, f2) = points
    slope01, slope12 = (f1 - f0) / (t1 - t0), (f2 - f1) / (t2 - t1)
    curvature = (slope12 - slope01) / (t2 - t0)
    at = (t0 + t1) / 2 - slope01 / (2 * curvature)
    return at, f0 + slope01 * (at - t0) + curvature * (at - t0) * (at - t1)


def theorems() -> tuple[Theorem, ...]:
    """The closed form of the optimal single step."""
    return (
        OneStepOptimum(
            name="best_single_gradient_step_has_a_closed_form",
            system="von Oswald et al. 2023",
            reference=(
                "von Oswald et al. (2023), section 3 and released code, which search eta on a grid; the form is this "
                "project's"
            ),
            statement=(
                "For independent symmetric input coordinates of variance s2 and kurtosis kap, a teacher with "
                "identity covariance and no "
                "noise, one gradient step from zero has the least expected loss at eta* = n / (s2 (n + d - 2 + "
                "kap)), where "
                "E |error|^2 = m s2 d (d - 2 + kap) / (n + d - 2 + kap)."
            ),
        ),
    )
