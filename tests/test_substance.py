"""What reads like a theorem and is none: a proof must not pass it, whatever Python its layers are written in."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import sympy

from constructions import (
    Attention,
    Construction,
    Head,
    Layer,
    Mask,
    Weight,
    example_tokens,
    matrix,
    ratio,
    residual_state,
    scalar,
)
from constructions.parameters import layer_count
from proofs import check, prove


@dataclass(frozen=True)
class Descent(Construction):
    """Gradient descent, right as it stands."""

    eta: Any = scalar("eta", nonzero=True)
    steps: int = layer_count()

    @property
    def depth(self):
        return self.steps

    def initial(self, prompt):
        return prompt.X.zeros(prompt.m, prompt.d)

    def step(self, l, W, prompt):
        return W - ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(self.eta, prompt.n))

    def predict(self, W, prompt):
        return W @ prompt.x_query

    def embed(self, prompt):
        return example_tokens(prompt)

    def is_wrong(self, l, prompt):
        return False

    def layer(self, l, prompt):
        x, y = Weight({("x", "x"): 1}), Weight({("y", "y"): -1})
        factor = ratio(self.eta, prompt.n) * (2 if self.is_wrong(l, prompt) else 1)
        return Layer(Attention(Head(key=x, query=x, value=y, factor=factor, mask=Mask(keys=("context",)))))

    def state(self, l, W, prompt):
        return residual_state(prompt, prompt.Y - W @ prompt.X, W @ prompt.x_query)

    def read_out(self, stream):
        return -stream["y", "query"]


def caught(l):
    try:
        return bool(l > 7)
    except TypeError:
        return False


WRONG_SOMEWHERE = {
    "an int is late": lambda l, prompt: isinstance(l, int) and l >= 7,
    "an int is written 6": lambda l, prompt: str(l) == "6",
    "an int is looked up by its text": lambda l, prompt: {"6": True}.get(f"{l}", False),
    "a size has three digits": lambda l, prompt: len(str(prompt.n)) > 2,
    "a size is large": lambda l, prompt: isinstance(prompt.n, int) and prompt.n > 70,
    "a refused comparison is caught": lambda l, prompt: caught(l),
    "SymPy compares": lambda l, prompt: bool(sympy.sympify(l) == 6),
}


def test_the_right_network_is_proved():
    assert check(Descent).verdict == "proved"


@pytest.mark.parametrize("is_wrong", WRONG_SOMEWHERE.values(), ids=WRONG_SOMEWHERE)
def test_a_layer_that_tells_numbers_from_symbols_is_not_proved(is_wrong):
    cls = dataclass(frozen=True)(type("Wrong", (Descent,), {"is_wrong": lambda self, l, prompt: is_wrong(l, prompt)}))
    assert check(cls).verdict in ("refuted", "undecided")


def test_a_comparison_may_not_be_caught():
    cls = type("Wrong", (Descent,), {"is_wrong": lambda self, l, prompt: caught(l)})
    with pytest.raises(TypeError, match=r"cannot compare .*the refusal was caught, and may not be"):
        prove(cls(eta=1, steps=2))


def test_a_network_with_an_invariant_but_without_a_symbolic_layer_is_proved_for_few_layers():
    class Alternating(Descent):
        """Every other layer has half the step size, told by the remainder."""

        def rate(self, l, prompt):
            return ratio(self.eta, prompt.n * (1 if l % 2 == 0 else 2))

        def step(self, l, W, prompt):
            return W - ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(self.rate(l, prompt))

        def layer(self, l, prompt):
            (attention,) = super().layer(0, prompt).sublayers
            return Layer(Attention(replace(attention.heads[0], factor=self.rate(l, prompt))))

    found = check(Alternating)
    assert found.verdict == "holds"
    assert "cannot compare l" in found.notes[0]


@dataclass(frozen=True)
class OneStep(Descent):
    """One step, whose iterate is Y X^T."""

    eta: Any = None
    steps: int = 1

    def step(self, l, W, prompt):
        return prompt.Y @ prompt.X.T

    def state(self, l, W, prompt):
        return {**example_tokens(prompt).blocks, ("y", "query"): -(W @ prompt.x_query)}


def answer(prompt):
    return -(prompt.Y @ prompt.X.T @ prompt.x_query)


class ReadsThePrompt(OneStep):
    """A function in the place of a layer, which knows the prompt."""

    def layer(self, l, prompt):
        return lambda stream: replace(stream, blocks={**stream.blocks, ("y", "query"): answer(prompt)})


class Told(Layer):
    """A layer that is told what to put where."""

    def __call__(self, stream):
        X, Y = stream["x", "context"], stream["y", "context"]
        return replace(stream, blocks={**stream.blocks, ("y", "query"): -(Y @ X.T @ stream["x", "query"])})


class OverridesTheLayer(OneStep):
    """A layer whose call is its own."""

    def layer(self, l, prompt):
        return Told()


class ReadsOutTheAnswer(OneStep):
    """A layer that does nothing, and a read-out that does everything."""

    def layer(self, l, prompt):
        return Layer()

    def predict(self, W, prompt):
        return -answer(prompt)

    def state(self, l, W, prompt):
        return example_tokens(prompt).blocks

    def read_out(self, stream):
        return stream["y", "context"] @ stream["x", "context"].T @ stream["x", "query"]


@dataclass(frozen=True)
class NothingIsMultiplied(Descent):
    """Preconditioned by a matrix that is None, zero: every step is the identity."""

    P: Any = matrix("P", "d", "d", default=None)

    def preconditioner(self, prompt):
        return prompt.X.zeros(prompt.d, prompt.d) if self.P is None else self.P

    def step(self, l, W, prompt):
        return W - (W @ prompt.X - prompt.Y) @ prompt.X.T @ self.preconditioner(prompt)

    def layer(self, l, prompt):
        x, y = Weight({("x", "x"): 1}), Weight({("y", "y"): -1})
        query = Weight({("x", "x"): self.preconditioner(prompt)})
        return Layer(Attention(Head(key=x, query=query, value=y, mask=Mask(keys=("context",)))))


@pytest.mark.parametrize(
    ("cls", "why"),
    [
        (ReadsThePrompt, "layer 1 is not a Layer of attention"),
        (OverridesTheLayer, "layer 1 is not a Layer of attention"),
        (ReadsOutTheAnswer, "no weight matters"),
        (NothingIsMultiplied, "no weight matters"),
    ],
)
def test_what_no_weights_do_is_no_theorem_on_a_transformer(cls, why):
    found = check(cls)
    assert found.verdict == "undecided"
    assert why in found.notes[-1]
