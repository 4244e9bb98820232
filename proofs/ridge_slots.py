"""Why weight decay needs a slot: linear layers on tokens (x, y) cannot run gradient descent on the ridge loss.

Symbols: d features, one target; x (d, 1) and y of a single example, W (1, d), x_q (d, 1) the query's input; s the y row
of the context token, s_q that of the query; c = 1 - eta lam; u = W x.

A layer is one attention of any number of linear heads, the context being the keys, between token-wise linear maps, all
without biases and writing to the y rows alone. These change by

    s   <- alpha s + A x + (a cubic form in x and s)             at the context token
    s_q <- alpha s_q + A x_q + Q(x, s) s_q + ...                 at the query, Q a quadratic form

whatever the order of its parts. Claimed is that the rows hold s = a_l y + b_l W_l x + g_l x and s_q = B_l W_l x_q +
h_l x_q before layer l, B_l not 0, for arbitrary W: the weights, a, b, g, B and h may depend on l, eta, lam, n and W_0,
not on the data. One ridge step is W <- c W + eta (y - W x) x^T.

1. If b_l = 0, layer l takes no step for d >= 2: the step has the term eta B W_1 x_1 x_2 x_q2, and Q(x) W x_q has none
   in W_1 x_q2.
2. Hence b_l is not 0. Comparing x^2 y and x^2 u for d = 1, eta b_(l+1) = kappa a_l = -kappa b_l: so a_l = -b_l, and by
   y and u a_(l+1) = alpha a_l and c b_(l+1) = alpha b_l: so a_(l+1) = -c b_(l+1). The next layer needs a_(l+1) =
   -b_(l+1). Hence eta lam = 0.
3. In the slots of gradient descent, s = y - W x from W_0 = 0, no layer of any kind whose context sees the context alone
   takes the second step: for eta x^2 = 1 the first leaves s = 0 for every y, and the second must leave s = eta lam y.

Three steps are impossible by 1 and 2. Further examples, features and targets that are zero change nothing but eta and
lam to eta / n and n lam, so that it is shown for all n, d >= 2 and m.

Reference: this project; von Oswald et al. (2023) leave weight decay open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
import sympy

from constructions.attention import Head, Mask
from constructions.block import Block, compare, materialised
from constructions.comparison import Comparison, Verdict
from constructions.construction import Construction, iterates, streams
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer, TokenMap
from constructions.parameters import lifted
from constructions.prompt import Prompt
from constructions.ridge import RidgeDescent
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.evidence import FAILS, HOLDS, Evidence, Settings, larger, timed
from proofs.explicit import ExplicitBlock
from proofs.formula import plain
from proofs.theorem import Theorem

eta, lam = sympy.symbols("eta lam", real=True)
x, y, u = sympy.symbols("x y u", real=True)
c = 1 - eta * lam

Polynomials = tuple[Any, ...]


@dataclass(frozen=True)
class ContextStep:
    """What layer l would have to be for the context: the unknown numbers, named after the layer."""

    l: int

    def number(self, name: str, later: int = 0) -> Any:
        """One of the unknown numbers, of this layer or of a later one."""
        return sympy.Symbol(f"{name}_{self.l + later}", real=True)

    @property
    def row(self) -> Any:
        """s before the layer."""
        a, b, g = (self.number(name) for name in "abg")
        return a * y + b * u + g * x

    @property
    def claimed(self) -> Any:
        """s after the layer, if it takes a ridge step."""
        a, b, g = (self.number(name, 1) for name in "abg")
        return a * y + b * (c * u + eta * x**2 * (y - u)) + g * x

    @property
    def made(self) -> Any:
        """s after the layer: a linear map and a cubic form of x and s."""
        alpha, A, *cubic = (self.number(name) for name in ("alpha", "A", "p", "q", "r", "t"))
        form = sum(factor * x ** (3 - k) * self.row**k for k, factor in enumerate(cubic))
        return alpha * self.row + A * x + form

    @property
    def equations(self) -> Polynomials:
        """The polynomials in the unknown numbers that would have to vanish."""
        return coefficients(self.made - self.claimed, (x, y, u))

    @property
    def kappa(self) -> Any:
        """The coefficient of x^2 s in the cubic form at s = a y + b u + g x, to first order in y and u."""
        q, r, t, g = (self.number(name) for name in "qrtg")
        return q + 2 * r * g + 3 * t * g**2


def coefficients(polynomial: Any, variables: Sequence[Any]) -> Polynomials:
    """The coefficients of a polynomial in the variables."""
    return tuple(sympy.Poly(sympy.expand(polynomial), *variables).coeffs())


def query_equations(features: int) -> Polynomials:
    """What the query's row needs if b = 0: the terms in W of the ridge step, for y = 0, against those of a layer."""
    inputs = sympy.symbols(f"x_1:{features + 1}", real=True)
    queries = sympy.symbols(f"xq_1:{features + 1}", real=True)
    W = sympy.symbols(f"W_1:{features + 1}", real=True)
    before, after, alpha = (sympy.Symbol(name, real=True) for name in ("B_0", "B_1", "alpha"))
    form = sum(
        sympy.Symbol(f"Q_{i + 1}{j + 1}", real=True) * inputs[i] * inputs[j]
        for i in range(features)
        for j in range(i, features)
    )
    prediction, query = (sum(a * b for a, b in zip(W, each, strict=True)) for each in (inputs, queries))
    similarity = sum(a * b for a, b in zip(inputs, queries, strict=True))
    made = (alpha + form) * before * query
    return coefficients(made - after * (c * query - eta * prediction * similarity), (*inputs, *queries, *W))


def has_no_solution(equations: Sequence[Any], nonzero: Any) -> bool:
    """Whether the equations have no common zero at which ``nonzero`` is not 0, complex ones included.

    By Hilbert's Nullstellensatz that is so exactly if 1 is in the ideal of the equations and 1 - tau nonzero.
    """
    tau = sympy.Symbol("tau")
    held = [*equations, 1 - tau * nonzero]
    variables = sorted(set().union(*(sympy.sympify(each).free_symbols for each in held)), key=str)
    return bool(sympy.groebner(held, *variables, order="grevlex").exprs == [1])


Certificate = tuple[Any, tuple[tuple[Any, Any], ...]]
"""(a product, ((an equation, its cofactor), ...)): the product is the sum of cofactor times equation."""


def query_certificate() -> Certificate:
    """eta B_1 is itself one of the equations, for d = 2."""
    product = eta * sympy.Symbol("B_1", real=True)
    (equation,) = {each for each in query_equations(2) if sympy.expand(each - product) == 0}
    return product, ((equation, sympy.Integer(1)),)


def context_certificate() -> Certificate:
    """eta^3 lam b_1^2 b_2, from the equations of y, u, x^2 y and x^2 u of two layers."""
    first, second = ContextStep(0), ContextStep(1)

    def needs(step: ContextStep) -> tuple[Any, ...]:
        held = sympy.Poly(sympy.expand(step.made - step.claimed), x, y, u)
        return tuple(held.coeff_monomial(term) for term in (y, u, x**2 * y, x**2 * u))

    (of_y, of_u, of_xxy, of_xxu), (_, _, next_xxy, next_xxu) = needs(first), needs(second)
    a, b, alpha = (first.number(name) for name in ("a", "b", "alpha"))
    a1, b1, b2 = second.number("a"), second.number("b"), second.number("b", 1)
    # Each pair is minus eta b_1 (a_0 + b_0), or minus eta b_2 (a_1 + b_1); the rest is a_1 = -c b_1.
    return eta**3 * lam * b1**2 * b2, (
        (of_xxy, eta * b2 * alpha * b),
        (of_xxu, -eta * b2 * alpha * a),
        (next_xxy, -eta * b1 * b1),
        (next_xxu, eta * b1 * a1),
        (of_y, eta**2 * b1 * b2),
        (of_u, eta**2 * b1 * b2),
    )


def is_certified(certificate: Certificate) -> bool:
    """Whether the product is the combination of the equations that it is said to be."""
    product, combined = certificate
    return bool(sympy.expand(product - sum(equation * cofactor for equation, cofactor in combined)) == 0)


def is_of_the_class(features: int) -> bool:
    """Whether a layer of one head between two token-wise maps, all weights free, changes the y rows as is said.

    It is run on explicit symbols by the forward pass of the constructions.
    """
    head = Head(
        key=Weight({("x", "x"): 1, ("y", "y"): 1}),
        query=_free("M", features, "xy", "xy"),
        value=_free("B", features, "y", "xy"),
        mask=Mask(keys=("context",)),
    )
    before, after = (TokenMap(_free(name, features, "y", "xy")) for name in ("T", "U"))
    held = {(slot, group): _column(slot + group, features) for slot in "xy" for group in ("context", "query")}
    stream = Stream({"x": features, "y": 1}, {"context": 1, "query": 1}, held)
    made = Layer(before, Attention(head), after)(stream)
    context = [*held["x", "context"].entry, *held["y", "context"].entry]
    query = [*held["x", "query"].entry, *held["y", "query"].entry]
    at_context = sympy.Poly(made["y", "context"].entry[0], *context)
    at_query = sympy.Poly(made["y", "query"].entry[0], *context, *query)
    degrees = {(sum(power[: len(context)]), sum(power[len(context) :])) for power in at_query.monoms()}
    return {sum(power) for power in at_context.monoms()} == {1, 3} and degrees == {(0, 1), (2, 1)}


def _column(name: str, features: int) -> Block:
    rows = features if name[0] == "x" else 1
    return ExplicitBlock.lift([[sympy.Symbol(f"{name}_{i}", real=True)] for i in range(rows)])


def _free(name: str, features: int, slots_out: str, slots_in: str) -> Weight:
    """A weight with a symbol in every entry."""

    def block(slot_out: str, slot_in: str) -> Block:
        rows, columns = (features if slot == "x" else 1 for slot in (slot_out, slot_in))
        names = [[f"{name}_{slot_out}{i}{slot_in}{j}" for j in range(columns)] for i in range(rows)]
        return ExplicitBlock.lift([[sympy.Symbol(each, real=True) for each in row] for row in names])

    return Weight({(a, b): block(a, b) for a in slots_out for b in slots_in})


def descent(step: ContextStep, decay: Any) -> dict[Any, Any]:
    """The numbers of a layer of gradient descent that shrinks its y rows by 1 - eta lam, with the state after it."""
    zero = {step.number(name): 0 for name in ("g", "A", "p", "r", "t")} | {step.number("g", 1): 0}
    kept = 1 - eta * decay
    before = {step.number("a"): 1, step.number("b"): -1, step.number("alpha"): kept, step.number("q"): -eta}
    return {**zero, **before, step.number("a", 1): kept, step.number("b", 1): -1}


@final
@dataclass(frozen=True, kw_only=True)
class RidgeNeedsASlot(Theorem):
    """No stack of linear layers on tokens (x, y) runs gradient descent on the ridge loss."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation")

    @property
    def construction(self) -> Construction | None:
        return None

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": self._proof,
            "exact": lambda: self._witnesses("exact", settings, RationalBlock),
            "float": lambda: self._witnesses("float", settings, RoundedBlock),
            "refutation": self._refutation,
        }[kind]
        return timed(gather)

    @property
    def systems(self) -> tuple[tuple[str, Polynomials, Certificate], ...]:
        """(what is impossible, the equations, the certificate that they have no solution)."""
        return (
            ("a step at the query, the prediction not in the context, d = 2", query_equations(2), query_certificate()),
            (
                "two steps at the context, the prediction in it, d = 1",
                (*ContextStep(0).equations, *ContextStep(1).equations),
                context_certificate(),
            ),
        )

    def _proof(self) -> Evidence:
        steps = {f"a layer is of the class, d = {features}": is_of_the_class(features) for features in (1, 2)}
        for text, equations, (product, combined) in self.systems:
            cited = all(equation in equations for equation, _ in combined)
            steps[text] = cited and is_certified((product, combined))
        over = "all n, d >= 2, m, any number of heads, three steps; two systems of equations without a solution"
        if not all(steps.values()):
            reason = f"undecided: {'; '.join(text for text, holds in steps.items() if not holds)}"
            return Evidence("proof", FAILS, over, reason=reason, undecided=True)
        return Evidence("proof", HOLDS, over)

    def _witnesses(self, kind: str, settings: Settings, number: type[Block]) -> Evidence:
        """Pairs of prompts that gradient descent's slots confuse, and that ridge regression must not."""
        rng = np.random.default_rng(settings.seed)
        worst = bound = None
        for count in range(1, settings.instances + 1):
            scale, target = (Fraction(2) ** int(power) for power in rng.integers(-2, 3, 2))
            decay = Fraction(int(rng.integers(1, 8)), 8)
            comparisons = confusion(scale, target, decay, number)
            worst, bound = larger(worst, comparisons[0].gap), larger(bound, comparisons[0].bound)
            wanted = [Verdict.EQUAL, Verdict.EQUAL, Verdict.DIFFERENT]
            if [each.verdict for each in comparisons] != wanted:
                reason = f"x = {scale}, y = {target}, lam = {decay}: {[each.verdict.value for each in comparisons]}"
                return Evidence(kind, FAILS, "pairs of prompts", count, worst, bound, reason=reason)
        over = "pairs of prompts (x, y), (x, -y) with eta x^2 = 1, equal after one layer, not after two ridge steps"
        return Evidence(kind, HOLDS, over, settings.instances, worst, bound)

    def _refutation(self) -> Evidence:
        failed = [text for text, holds in controls() if not holds]
        over = f"{len(controls())} controls: " + "; ".join(text for text, _ in controls())
        if failed:
            return Evidence("refutation", FAILS, over, len(controls()), reason=f"fails: {'; '.join(failed)}")
        return Evidence("refutation", HOLDS, over, len(controls()))

    def shown(self) -> str:
        argument = (__doc__ or "").partition("\n\n")[2].rpartition("\n\nReference:")[0]
        lines = [argument, ""]
        for text, equations, (product, combined) in self.systems:
            lines += [f"No solution unless {plain(product)} = 0: {text}"]
            lines += [f"    {plain(sympy.factor(equation))} = 0" for equation in dict.fromkeys(equations)]
            lines += [f"since {plain(product)} is the sum of"]
            lines += [f"    ({plain(cofactor)}) times ({plain(equation)})" for equation, cofactor in combined]
            lines += [""]
        return "\n".join(lines[:-1])


def confusion(scale: Fraction, target: Fraction, decay: Fraction, number: type[Block]) -> list[Comparison]:
    """What (x, y) and (x, -y) become, eta = 1 / x^2, compared three times.

    The context after the first layer of gradient descent; the first step of ridge regression with that of gradient
    descent; the residuals after the second ridge step.
    """
    step_size = 1 / scale**2
    contexts, firsts, residuals = [], [], []
    for sign in (1, -1):
        prompt = _prompt(scale, sign * target, number)
        ridge = lifted(RidgeDescent(step_sizes=[step_size] * 2, decays=[decay] * 2), number, prompt)
        plain_descent = lifted(GradientDescent(step_sizes=[step_size]), number, prompt)
        *_, last = streams(plain_descent, prompt)
        contexts.append(last["x", "context"].above(materialised(last["y", "context"], prompt.X)))
        _, first, second = iterates(ridge, prompt)
        *_, plain_first = iterates(plain_descent, prompt)
        firsts.append((first, plain_first))
        residuals.append(prompt.Y - second @ prompt.X)
    return [compare(*contexts), compare(*firsts[0]), compare(*residuals)]


def _prompt(scale: Fraction, target: Fraction, number: type[Block]) -> Prompt:
    def entry(value: Fraction) -> Any:
        return [[value]] if number is RationalBlock else np.array([[value]], dtype=float)

    return Prompt(entry(scale), entry(target), entry(Fraction(1))).lifted(number)


def controls() -> tuple[tuple[str, bool], ...]:
    """What the argument must not prove: (what is possible, whether it is found so)."""
    first, second = ContextStep(0), ContextStep(1)
    two_layers = (*first.equations, *second.equations)
    undecayed = {**descent(first, 0), **descent(second, 0), lam: 0}
    one_feature = {"B_0": 1, "B_1": 1, "alpha": c, "Q_11": -eta}
    held_by_name = {sympy.Symbol(name, real=True): value for name, value in one_feature.items()}
    return (
        ("without decay two layers of gradient descent solve the equations", solves(undecayed, two_layers)),
        ("one ridge step alone is possible", solves(descent(first, lam), first.equations)),
        ("with decay the two layers of gradient descent do not", not solves(undecayed | {lam: 1}, two_layers)),
        ("for d = 1 the query needs no prediction in the context", solves(held_by_name, query_equations(1))),
    )


def solves(numbers: Mapping[Any, Any], equations: Polynomials) -> bool:
    """Whether the numbers satisfy every equation."""
    return not any(sympy.expand(each.subs(numbers, simultaneous=True)) for each in equations)


def theorem() -> RidgeNeedsASlot:
    """The theorem that weight decay needs a slot."""
    return RidgeNeedsASlot(
        name="weight_decay_has_no_linear_layers_on_x_y_tokens",
        system="this project",
        reference="this project; why von Oswald et al. (2023) leave weight decay open",
        statement=(
            "Layers of linear heads side by side, keys in the context, and token-wise linear maps, which write to y "
            "alone, cannot take three gradient steps on the ridge loss with eta lam != 0 from arbitrary W on tokens "
            "(x, y), d >= 2, if the y rows hold a_l y + b_l W x + g_l x and the query's B_l W x + h_l x, B_l != 0; and "
            "if they hold the residual y - W x, no layer of any kind whose context sees the context alone takes the "
            "second step."
        ),
    )
