"""False claims that a prover might be led to accept: each is refused, or left open. None is proved.

``Doubling`` is true: the y slot of the query doubles in every layer. Each test makes it false in one way.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from constructions.attention import Head, Mask
from constructions.block import FeatureMap, Kernel, Zero
from constructions.construction import Construction
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer, TokenFunction, TokenMap
from constructions.parameters import layer_count, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import one_if_at_most, power_of_two, ratio
from constructions.stages import Loop, Relation, Single
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.check import check
from proofs.induction import prove

PROMPT = Prompt([[1, 2], [3, 5]], [[1, 4]], [[2], [7]])


@dataclass(frozen=True, kw_only=True, repr=False)
class Doubling(Construction):
    """k layers that double the sum of the targets."""

    iterate_symbol = "v"

    steps: int = layer_count(default=3)
    a: Any = scalar("a", default=7)

    @property
    def depth(self):
        return self.steps

    def initial(self, prompt):
        return prompt.Y @ prompt.Y.ones(prompt.n, 1)

    def step(self, l, v, prompt):
        return v.scale(2)

    def predict(self, v, prompt):
        return v

    def embed(self, prompt):
        return Stream({"y": prompt.m}, {"query": 1}, {("y", "query"): self.initial(prompt)})

    def factor(self, l, prompt):
        return 1

    def layer(self, l, prompt):
        return Layer(TokenMap(Weight({("y", "y"): self.factor(l, prompt)})))

    def state(self, l, v, prompt):
        return {("y", "query"): v}

    def read_out(self, stream):
        return stream["y", "query"]


def with_factor(factor):
    return type("Branching", (Doubling,), {"factor": factor})()


def is_proved(construction):
    try:
        return prove(construction).holds
    except (TypeError, ValueError, ZeroDivisionError):
        return False


def test_true_construction_is_proved():
    assert prove(Doubling()).holds
    assert check(Doubling(), PROMPT).holds


@pytest.mark.parametrize(
    "factor",
    [
        lambda self, l, p: 5 if l == 0 else 1,
        lambda self, l, p: 5 if l + 1 == 1 else 1,
        lambda self, l, p: 5 if l + 1 == 5 else 1,
        lambda self, l, p: 5 if (l + 1) % 2 == 0 else 1,
        lambda self, l, p: 5 if l + 1 == self.steps else 1,
        lambda self, l, p: 5 if self.steps - l == 1 else 1,
        lambda self, l, p: 5 if l > 1 else 1,
        lambda self, l, p: 5 if not l else 1,
        lambda self, l, p: {0: 5}.get(l, 1),
        lambda self, l, p: 5 if l in {0} else 1,
        lambda self, l, p: 5 if isinstance(l, int) else 1,
        lambda self, l, p: [5, 1, 1][l],
        lambda self, l, p: 5 if p.n == 2 else 1,
        lambda self, l, p: 5 if p.n == 6 else 1,
        lambda self, l, p: 5 if p.n == p.d else 1,
        lambda self, l, p: 5 if p.m == 1 else 1,
        lambda self, l, p: 5 if p.n + p.d > 4 else 1,
        lambda self, l, p: 5 if self.a == 7 else 1,
        lambda self, l, p: 5 if self.a else 1,
        lambda self, l, p: ratio(self.a, self.a),
    ],
)
def test_layer_with_two_forms_is_not_proved(factor):
    assert not is_proved(with_factor(factor))


def test_weights_that_read_the_data_are_refused():
    """A token map with the gradient in its weights needs no attention: other data would need other weights."""

    class Cheat(GradientDescent):
        def layer(self, l, prompt):
            gradient = (self.W_0 @ prompt.X - prompt.Y) @ prompt.X.T
            return Layer(TokenMap(Weight({("y", "x"): -gradient.scale(ratio(self.step_sizes[l], prompt.n))})))

    with pytest.raises(ValueError, match=r"the weights depend on the data: sublayer 1, weight, block y <- x contains"):
        prove(Cheat(step_sizes=[1], W_0=[[1]]))


@pytest.mark.parametrize("symbol", ["a", "k", "l", "X", "n"])
def test_two_things_of_one_name_are_refused(symbol):
    cls = dataclass(frozen=True, kw_only=True, repr=False)(
        type("TwoOfAName", (Doubling,), {"b": scalar(symbol, default=2), "__annotations__": {"b": Any}})
    )
    with pytest.raises(ValueError, match=f"TwoOfAName calls two things {symbol}"):
        prove(cls())


def test_extra_called_like_the_iterate_is_not_taken_for_it():
    class ExtraIsIterate(Doubling):
        extras: ClassVar = {"v": ("m", 1)}

        def step(self, l, v, prompt):
            return v + prompt.extra("v")

    assert not is_proved(ExtraIsIterate())


def test_matrix_called_like_anything_is_not_taken_for_it():
    from constructions.stages import ANYTHING

    class AnyOne(Doubling):
        any_1: Any = None

    cls = dataclass(frozen=True, kw_only=True, repr=False)(
        type("AnyOne", (Doubling,), {"B": matrix("any_1", "m", 1, default=None), "__annotations__": {"B": Any}})
    )
    cls.state = lambda self, l, v, prompt: {("y", "query"): ANYTHING}
    cls.predict = lambda self, v, prompt: self.B
    assert not is_proved(cls(B=[[1]]))


@dataclass(frozen=True, kw_only=True, repr=False)
class TwoLengths(Doubling):
    """Up k times and down k_2 times: back where it began only if the two are equal."""

    back: int = layer_count("k", default=1)

    def step(self, l, v, prompt):
        return v

    def stages(self, prompt):
        def loop(scaled, value, times):
            return Loop(
                lambda l: Layer(TokenMap(Weight({("y", "y"): value}))),
                lambda l, v: v,
                lambda l, v: {("y", "query"): v.scale(power_of_two(scaled(l)))},
                times,
            )

        return loop(lambda l: l, 1, self.steps), loop(lambda l: self.back - l, ratio(-1, 2), self.back)


def test_two_numbers_of_layers_need_two_symbols():
    with pytest.raises(ValueError, match="TwoLengths calls two things k"):
        prove(TwoLengths())


def test_two_numbers_of_layers_are_not_taken_for_equal():
    cls = dataclass(frozen=True, kw_only=True, repr=False)(
        type("Named", (TwoLengths,), {"back": layer_count("k_2", default=1), "__annotations__": {"back": int}})
    )
    assert not is_proved(cls())


def test_relation_broken_by_a_single_layer_is_not_proved():
    class Breaks(Doubling):
        def relations(self, v, prompt):
            return (Relation("v is zero", v, Zero(*v.shape)),)

        def initial(self, prompt):
            return prompt.Y @ prompt.Y.ones(prompt.n, 1) - prompt.Y @ prompt.Y.ones(prompt.n, 1)

        def embed(self, prompt):
            return Stream(
                {"y": prompt.m, "s": prompt.m}, {"query": 1}, {("s", "query"): prompt.Y @ prompt.Y.ones(prompt.n, 1)}
            )

        def state(self, l, v, prompt):
            return {("y", "query"): v, ("s", "query"): prompt.Y @ prompt.Y.ones(prompt.n, 1)}

        def stages(self, prompt):
            total = prompt.Y @ prompt.Y.ones(prompt.n, 1)
            adds = Layer(TokenMap(Weight({("y", "s"): 1})))
            first = Single(adds, lambda v: self.state(0, v, prompt), lambda v: v + total)
            rest = Loop(lambda l: Layer(), lambda l, v: v, lambda l, v: self.state(l, v, prompt), self.steps)
            return first, rest

        def predict(self, v, prompt):
            return v.scale(2)

    assert not is_proved(Breaks())


def test_relation_with_a_coefficient_that_may_be_zero_is_refused():
    class ZeroCoefficient(Doubling):
        def hypotheses(self, prompt):
            return (Relation("a Y = 0", prompt.Y.scale(self.a), Zero(*prompt.Y.shape)),)

    with pytest.raises(ValueError, match="the coefficient a, which may be 0"):
        prove(ZeroCoefficient())


def test_inverse_that_is_not_declared_is_an_assumption_in_print():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Inverts(Doubling):
        A: Any = matrix("A", "m", "m", default=None)

        def layer(self, l, prompt):
            return Layer(TokenMap(Weight({("y", "y"): self.A @ self.A.inverse()})))

    assert "Assumed (invertible): (A) (A)^-1 = I" in str(prove(Inverts(A=[[1]])))


def test_step_that_changes_the_shape_is_refused():
    class Grows(Doubling):
        def step(self, l, v, prompt):
            return v.beside(v)

    with pytest.raises(ValueError, match="changes the iterate's shapes"):
        prove(Grows())


@pytest.mark.parametrize("held", [5, None, [[1]]])
def test_state_that_holds_no_block_is_refused(held):
    class RawState(Doubling):
        def embed(self, prompt):
            return Stream({"y": prompt.m, "z": prompt.m}, {"query": 1}, {("y", "query"): self.initial(prompt)})

        def state(self, l, v, prompt):
            return {("y", "query"): v, ("z", "query"): held}

    with pytest.raises(TypeError, match="must be a block or ANYTHING"):
        prove(RawState())


def test_state_in_another_order_is_refused():
    class Reordered(Doubling):
        def embed(self, prompt):
            return Stream({"y": prompt.m}, {"a": 1, "query": 1}, {("y", "query"): self.initial(prompt)})

        def stages(self, prompt):
            (loop,) = super().stages(prompt)

            def state(v):
                return Stream({"y": prompt.m}, {"a": 1, "query": 1}, {("y", "query"): v}, order=("query", "a"))

            return loop, Single(Layer(), state)

    with pytest.raises(ValueError, match="order"):
        check(Reordered(), PROMPT)


def test_proof_says_for_which_values_of_undeclared_fields_it_is():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Undeclared(Doubling):
        rate: int = 1

        def factor(self, l, prompt):
            return self.rate

    assert prove(Undeclared()).holds
    assert "rate = 1, as given" in str(prove(Undeclared()))
    assert not prove(Undeclared(rate=2)).holds


class Window:
    """A mask that lets a query see the keys up to a distance."""

    def __init__(self, width):
        self.width = width

    def allows(self, i, j):
        return 0 <= j - i < self.width


@pytest.mark.parametrize("widths", [(3, 9), (9, 9)])
def test_masks_of_one_name_are_told_apart(widths):
    """Two windows agree on the first three tokens; only equal ones may cancel."""
    windows = [Window(width) for width in widths]
    first = windows[0].allows
    second = first if widths[0] == widths[1] else windows[1].allows

    @dataclass(frozen=True, kw_only=True, repr=False)
    class Cancelling(GradientDescent):
        def layer(self, l, prompt):
            one, value = Weight({("x", "x"): 1}), Weight({("y", "y"): 1})
            heads = [
                Head(one, one, value.replaced(("y", "y"), sign), mask=Mask(("context",), pattern))
                for sign, pattern in ((1, first), (-1, second))
            ]
            return Layer(Attention(*heads))

        def step(self, l, W, prompt):
            return W

    assert prove(Cancelling(step_sizes=[1])).holds == (widths[0] == widths[1])


def test_a_kernel_that_holds_the_data_is_refused():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Solved(GradientDescent):
        def layer(self, l, prompt):
            one, value = Weight({("x", "x"): 1}), Weight({("y", "y"): -1})
            kernel = Kernel("solved", lambda K, Q: K.T @ prompt.X @ prompt.X.T @ Q)
            return Layer(Attention(Head(one, one, value, score=kernel)))

    with pytest.raises(ValueError, match="the function 'solved' depends on the data: it contains X"):
        prove(Solved(step_sizes=[1]))


def test_a_kernel_that_is_none_of_two_tokens_is_refused():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Ridge(GradientDescent):
        def layer(self, l, prompt):
            one, value = Weight({("x", "x"): 1}), Weight({("y", "y"): -1})
            kernel = Kernel("ridge", lambda K, Q: (K.T @ K + K.identity(K.columns)).inverse() @ K.T @ Q)
            return Layer(Attention(Head(one, one, value, score=kernel)))

    with pytest.raises(ValueError, match="the function 'ridge' mixes columns: a kernel must be one of a key"):
        prove(Ridge(step_sizes=[1]))


def test_a_map_that_mixes_tokens_is_refused():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Averaged(GradientDescent):
        def layer(self, l, prompt):
            mixed = FeatureMap("averaged", lambda B: B @ B.ones(B.columns, B.columns))
            return Layer(TokenFunction(mixed, "x", "x"))

    with pytest.raises(ValueError, match="the function 'averaged' mixes columns"):
        prove(Averaged(step_sizes=[1]))


def test_a_condition_with_a_bound_that_is_no_integer_is_left_open():
    """The j with j <= (n - 1) / 2 are (n + 1) / 2 for odd n alone."""

    @dataclass(frozen=True, kw_only=True, repr=False)
    class Halved(GradientDescent):
        def lemmas(self, prompt):
            row = prompt.X.given("r", 1, prompt.n, lambda _, j: one_if_at_most(j, ratio(prompt.n - 1, 2)))
            count = prompt.X.ones(1, 1).scale(ratio(prompt.n + 1, 2))
            return (Relation("count", row @ prompt.X.ones(prompt.n, 1), count),)

    assert not prove(Halved(step_sizes=[1])).holds


def test_a_number_that_may_be_zero_has_no_negative_power():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Cancelled(GradientDescent):
        a: Any = scalar("a", default=1)

        def predict(self, W, prompt):
            return super().predict(W, prompt).scale(self.a * self.a**-1)

    with pytest.raises(ZeroDivisionError, match="a may be 0, so a proof cannot divide by it"):
        prove(Cancelled(step_sizes=[1]))
