"""The induction engine proves what is true, leaves open what is not, and prints a proof that can be read."""

from dataclasses import dataclass, make_dataclass
from typing import Any

import pytest

from constructions.as_printed import PositiveQueryStart, UnmaskedFromZero, UntransposedPreconditioner
from constructions.attention import Head
from constructions.construction import Construction
from constructions.gdpp import GDPlusPlus
from constructions.gdpp_spectrum import GDPlusPlusSpectrum
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer
from constructions.parameters import Repeated, layer_count, matrix
from constructions.scalars import ratio
from constructions.stages import ANYTHING, Loop, Single
from constructions.stream import Stream
from constructions.weights import Weight
from proofs.induction import prove

ONE = [[1]]


@dataclass(frozen=True, kw_only=True, repr=False)
class FirstLayerDiffers(GradientDescent):
    """A network whose first layer does nothing, so that k layers take k - 1 steps."""

    def layer(self, l, prompt):
        return Layer() if l == 0 else super().layer(l, prompt)


@dataclass(frozen=True, kw_only=True, repr=False)
class NormalisedByLength(GradientDescent):
    """The slip of dividing by n + 1, the length of the prompt."""

    def layer(self, l, prompt):
        layer = super().layer(l, prompt)
        rate = ratio(self.step_sizes[l], prompt.n + 1)
        (attention,) = layer.sublayers
        (head,) = attention.heads
        return Layer(Attention(Head(head.key, head.query, head.value, Weight({("y", "y"): rate}), mask=head.mask)))


@dataclass(frozen=True, kw_only=True, repr=False)
class ForgetsTheTargets(GradientDescent):
    """Correct weights with an invariant that says nothing of the query: the read-out cannot follow from it."""

    def state(self, l, W, prompt):
        return {**super().state(l, W, prompt), ("y", "query"): ANYTHING}


@dataclass(frozen=True, kw_only=True, repr=False)
class ClaimsASymmetryItDoesNotHave(GDPlusPlusSpectrum):
    """GD++ whose spectrum is claimed without the assumption that v is an eigenvector."""

    def hypotheses(self, prompt):
        return super().hypotheses(prompt)[:1]


@dataclass(frozen=True, kw_only=True, repr=False)
class TwoStages(GradientDescent):
    """A loop of gradient steps and then one layer that takes a last one: a network of two stages."""

    def stages(self, prompt):
        (loop,) = super().stages(prompt)
        last = Single(
            layer=self.layer(0, prompt),
            step=lambda W: self.step(0, W, prompt),
            state=lambda W: self.state(0, W, prompt),
            name="last layer",
        )
        return loop, last


def test_correct_construction_is_proved_for_all_sizes():
    assert prove(GradientDescent(step_sizes=[1], W_0=ONE)).holds


def test_proof_does_not_depend_on_the_values_of_the_parameters():
    first = prove(GradientDescent(step_sizes=[1], W_0=ONE))
    second = prove(GradientDescent(step_sizes=[5, 7], W_0=[[3, 4]]))
    assert [i.left for i in first.identities] == [i.left for i in second.identities]


@pytest.mark.parametrize(
    ("construction", "open_claims"),
    [
        (PositiveQueryStart(step_sizes=[1], W_0=ONE), {("base", "y", "query")}),
        (UnmaskedFromZero(step_sizes=[1]), {("step", "y", "context"), ("step", "y", "query")}),
        (UntransposedPreconditioner(preconditioners=[ONE]), {("step", "y", "context"), ("step", "y", "query")}),
        (NormalisedByLength(step_sizes=[1]), {("step", "y", "context"), ("step", "y", "query")}),
        (ForgetsTheTargets(step_sizes=[1]), {("read-out", None, None)}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, set) else "",
)
def test_wrong_construction_is_left_open_where_it_is_wrong(construction, open_claims):
    proof = prove(construction)
    assert not proof.holds
    assert {(i.claim.kind, i.claim.slot, i.claim.group) for i in proof.undecided} == open_claims


def test_relation_without_its_hypothesis_is_not_proved():
    assert prove(GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1], W_0=ONE)).holds
    proof = prove(ClaimsASymmetryItDoesNotHave(step_sizes=[1], curvature_steps=[1], W_0=ONE))
    assert {i.claim.kind for i in proof.undecided} == {"relation"}


def test_layer_that_depends_on_a_particular_index_is_refused():
    with pytest.raises(TypeError, match="must have one form for all of them"):
        prove(FirstLayerDiffers(step_sizes=[1]))


def test_network_of_several_stages_is_proved_stage_by_stage():
    proof = prove(TwoStages(step_sizes=[1], W_0=ONE))
    assert proof.holds
    assert {str(i.claim.layer) for i in proof.identities if i.claim.kind == "step"} == {"l + 1", "k + 1"}


def test_loop_without_the_state_it_needs_is_not_proved():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class WrongStateBetweenStages(TwoStages):
        def stages(self, prompt):
            loop, last = super().stages(prompt)
            wrong = prompt.Y @ prompt.Y.T @ prompt.Y @ prompt.X.T @ prompt.x_query
            return Loop(
                loop.layer, loop.step, lambda l, W: {**loop.state(l, W), ("y", "query"): wrong}, loop.times
            ), last

    assert not prove(WrongStateBetweenStages(step_sizes=[1])).holds


@dataclass(frozen=True, repr=False)
class IterateCalledLikeAParameter(Construction):
    """A network that does nothing, and an algorithm W <- 2 W - W_1 whose iterate has the name of the parameter W_1."""

    iterate_symbol = "W"

    W: Any = matrix("W", "m", "d")
    steps: int = layer_count()

    @property
    def depth(self):
        return self.steps

    def initial(self, prompt):
        return self.W.scale(3)

    def step(self, l, W, prompt):
        return W.scale(2) - self.W

    def predict(self, W, prompt):
        return W @ prompt.x_query

    def embed(self, prompt):
        return Stream({"y": prompt.m}, {"query": 1}, self.state(0, self.initial(prompt), prompt))

    def layer(self, l, prompt):
        return Layer()

    def state(self, l, W, prompt):
        return {("y", "query"): W @ prompt.x_query}

    def read_out(self, stream):
        return stream["y", "query"]


def test_iterate_called_like_a_parameter_is_not_taken_for_it():
    """Were they one letter, 2 W - W would be W, and the false claim would be proved."""
    proof = prove(IterateCalledLikeAParameter(W=ONE, steps=1))
    assert {i.claim.kind for i in proof.undecided} == {"step"}


@pytest.mark.parametrize("symbol", ["X", "x_query", "n", "k", "l"])
def test_parameter_called_like_the_data_is_refused(symbol):
    cls = make_dataclass(
        "Called",
        [("other", Any, matrix(symbol, "m", "d", default=None))],
        bases=(GradientDescent,),
        frozen=True,
        kw_only=True,
    )
    with pytest.raises(ValueError, match=f"Called calls two things {symbol}: a proof would take them for the same"):
        prove(cls(step_sizes=[1], other=ONE))


def test_looped_construction_has_no_index_in_its_proof():
    proof = prove(GDPlusPlus(step_sizes=Repeated(1, 1), curvature_steps=Repeated(1, 1)))
    assert proof.holds
    assert "eta_l" not in str(proof)
    assert "eta" in str(proof)


def test_printed_proof_states_what_is_free_and_both_sides():
    text = str(prove(GradientDescent(step_sizes=[1], W_0=ONE)))
    assert "k linear attention layers that take k gradient steps" in text
    assert "W_0: a matrix (m, d)" in text
    assert "eta_l, one per layer: a number" in text
    assert "right   -(W - (eta_l/n) (W X - Y) X') x_query" in text
    assert "both =  -W x_query - (eta_l/n) Y X' x_query + (eta_l/n) W X X' x_query" in text
    assert text.endswith("Proved: 9 identities, each by equal normal forms.")


def test_printed_attempt_shows_the_residue():
    text = str(prove(UnmaskedFromZero(step_sizes=[1])))
    assert "left - right = (eta_l/n) W x_query x_query' X" in text
    assert text.endswith("Not a proof.")


def test_printed_proof_states_its_assumptions():
    text = str(prove(GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1])))
    assert "Assumed (v is an eigenvector of X X^T): X X' v = lam v" in text
    assert "Assumed (F commutes with X X^T)" in text
    assert "W_star (m, d): any numbers within the hypotheses; v (d, 1): any numbers within the hypotheses" in text


def test_proof_in_latex_is_balanced():
    text = prove(GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1], W_0=ONE)).latex()
    assert text.count("{") == text.count("}")
    assert text.startswith(r"\begin{align*}")
    assert text.endswith(r"\end{align*}")
    assert r"\overset{?}" not in text
