"""Composition: two networks, one after the other, are a construction with a proof of its own."""

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from constructions.composition import composed
from constructions.construction import Construction, forward, iterates, streams
from constructions.copying import TokenMerging
from constructions.dense import dense_forward
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.layer import Layer, TokenMap
from constructions.newton import NewtonFromIdentity
from constructions.newton_paper import PaperNewton
from constructions.parameters import matrix
from constructions.prompt import Prompt
from constructions.stages import Handover, Single
from constructions.stream import Stream
from constructions.weights import Weight
from numerics import check
from numerics.instances import Sizes, exact_parameters, float_prompt, rational_prompt
from proofs import prove
from proofs.construction_theorem import ConstructionTheorem
from proofs.evidence import HOLDS, Settings


@dataclass(frozen=True, kw_only=True, repr=False)
class MovedInputs(Construction):
    """One token-wise map x <- x + A x."""

    iterate_symbol = "F"
    A: Any = matrix("A", "d", "d")
    depth = 1

    def initial(self, prompt):
        return prompt.X.identity(prompt.d)

    def step(self, l, F, prompt):
        return F + self.A @ F

    def predict(self, F, prompt):
        return F @ prompt.x_query

    def embed(self, prompt):
        return Stream(
            slots={"x": prompt.d, "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={("x", "context"): prompt.X, ("y", "context"): prompt.Y, ("x", "query"): prompt.x_query},
        )

    def layer(self, l, prompt):
        return Layer(TokenMap(Weight({("x", "x"): self.A})))

    def state(self, l, F, prompt):
        return {**self.embed(prompt).blocks, ("x", "context"): F @ prompt.X, ("x", "query"): F @ prompt.x_query}

    def stages(self, prompt):
        return (Single(self.layer(0, prompt), lambda F: self.state(1, F, prompt), lambda F: self.step(0, F, prompt)),)

    def read_out(self, stream):
        return stream["x", "query"]


def moved(F, prompt):
    """The prompt whose inputs the first network has moved."""
    return Prompt(F @ prompt.X, prompt.Y, F @ prompt.x_query)


MERGED = composed(TokenMerging(), GradientDescent(step_sizes=[1]), slots={"y": "y2"}, groups={"context": "inputs"})
MOVED = composed(MovedInputs(A=[[1]]), GradientDescent(step_sizes=[1]), prompt_made=moved)
BOTH = composed(
    composed(TokenMerging(), MovedInputs(A=[[1]]), slots={"y": "y2"}, groups={"context": "inputs"}),
    GradientDescent(step_sizes=[1]),
    slots={"y": "y2"},
    groups={"context": "inputs"},
    prompt_made=lambda iterate, prompt: moved(iterate.F, prompt),
)
COMPOSITIONS = pytest.mark.parametrize("composition", [MERGED, MOVED, BOTH], ids=["merged", "moved", "three networks"])


@COMPOSITIONS
def test_a_composition_is_proved_for_all_sizes(composition):
    assert prove(composition).holds


@COMPOSITIONS
def test_a_composition_has_every_kind_of_evidence(composition):
    theorem = ConstructionTheorem(
        name="a_composition", system="this project", reference="none", statement="none", prototype=composition
    )
    for kind in ("proof", "exact", "float", "refutation"):
        assert theorem.evidence(kind, Settings(instances=6)).outcome == HOLDS


def test_its_prediction_is_that_of_the_second_network_on_the_prompt_that_the_first_made():
    A, etas = [[Fraction(1, 2), 1], [0, -2]], [Fraction(1, 2), Fraction(1, 3)]
    X, Y, x = [[1, 2, 0], [0, 1, -1]], [[3, 1, 2]], [[1], [2]]
    both = composed(MovedInputs(A=A), GradientDescent(step_sizes=etas), prompt_made=moved)
    F = np.array([[Fraction(3, 2), 1], [0, -1]], dtype=object)
    expected = GradientDescent(step_sizes=etas)((F @ X).tolist(), Y, (F @ x).tolist())
    assert both(X, Y, x).tolist() == expected.tolist()


def test_both_networks_keep_their_own_numbers_of_layers():
    twice = composed(GDPlusPlus(step_sizes=[1], curvature_steps=[1]), GradientDescent(step_sizes=[1, 2, 3]))
    drawn = exact_parameters(twice, Sizes(3, 2, 1), 0, depth=2)
    assert (len(drawn.step_sizes), len(drawn.curvature_steps), len(drawn.step_sizes_2)) == (2, 2, 3)
    assert drawn.depth == 5


def test_a_composition_of_networks_that_do_not_fit_is_refuted_at_the_place_where_they_meet():
    wrong = composed(MovedInputs(A=[[1]]), GradientDescent(step_sizes=[1]))
    assert not prove(wrong).holds
    failure = check(exact_parameters(wrong, Sizes(3, 2, 1), 0, 2), rational_prompt(0, 3, 2, 1)).failure
    assert (failure.claim.kind, failure.claim.layer, failure.claim.slot) == ("base", 1, "x")


def test_gradient_descent_cannot_simply_follow_itself():
    """The second expects the targets Y, but the first has left Y - W_k X there."""
    failure = check(
        exact_parameters(composed(*[GradientDescent(step_sizes=[1])] * 2), Sizes(3, 2, 1), 1, 2),
        rational_prompt(1, 3, 2, 1),
    ).failure
    assert (failure.claim.slot, failure.claim.group) == ("y", "context")


def test_a_wrong_layer_of_the_second_network_is_located():
    class Halved(GradientDescent):
        def layer(self, l, prompt):
            return replace(self, step_sizes=[eta / 2 for eta in self.step_sizes])._right(l, prompt)

        def _right(self, l, prompt):
            return super().layer(l, prompt)

    wrong = composed(
        TokenMerging(),
        Halved(step_sizes=[Fraction(1), Fraction(2)]),
        slots={"y": "y2"},
        groups={"context": "inputs"},
    )
    failure = check(wrong, rational_prompt(0, 3, 2, 1)).failure
    assert (failure.claim.layer, failure.claim.slot, failure.claim.group) == (2, "y2", "inputs")


def test_the_streams_are_those_of_the_dense_matrices():
    prompt = rational_prompt(2, 3, 2, 1)
    drawn = exact_parameters(MERGED, Sizes(3, 2, 1), 0, 2)
    for stream, H in zip(streams(drawn, prompt), dense_forward(drawn, prompt), strict=True):
        assert stream.dense().entry.tolist() == H.entry.tolist()


def test_it_runs_on_batches_of_floats():
    prompt = float_prompt(0, 6, 3, 2, batch=(4,))
    whole = composed(
        TokenMerging(), GradientDescent(step_sizes=[0.5, 0.25]), slots={"y": "y2"}, groups={"context": "inputs"}
    )
    plain = GradientDescent(step_sizes=[0.5, 0.25])(prompt.X, prompt.Y, prompt.x_query)
    np.testing.assert_allclose(whole(prompt.X, prompt.Y, prompt.x_query), plain, rtol=1e-12, atol=1e-12)


def test_the_iterate_changes_hands_after_the_last_layer_of_the_first():
    drawn = exact_parameters(MOVED, Sizes(3, 2, 1), 0, 0)
    prompt = rational_prompt(0, 3, 2, 1)
    *_, last = iterates(drawn, prompt)
    assert forward(drawn, prompt).is_zero
    assert last.W.is_zero


def test_it_prints_with_its_handover():
    lines = str(MOVED).splitlines()
    at = lines.index("Stage 2, handover")
    assert lines[at + 1 : at + 3] == ["  F <- I + A I", "  W <- 0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slots": {"x": "x", "y": "x"}}, "two names of the second network one name of the first"),
        ({"groups": {"context": "query", "query": "query"}}, "two names of the second network one name of the first"),
    ],
)
def test_two_names_may_not_become_one(arguments, message):
    with pytest.raises(ValueError, match=message):
        composed(TokenMerging(), GradientDescent(step_sizes=[1]), **arguments)


def test_a_group_that_the_first_network_lacks_is_an_error():
    with pytest.raises(ValueError, match="the second network has the tokens 'context', but the first has"):
        composed(TokenMerging(), GradientDescent(step_sizes=[1]))([[1]], [[1]], [[1]])


def test_networks_for_different_numbers_of_targets_do_not_compose():
    class ForTwo(NewtonFromIdentity):
        targets = 2

    with pytest.raises(ValueError, match="for 1 and for 2 targets: no prompt has both"):
        composed(PaperNewton(alpha=1, steps=1), ForTwo(alpha=1, steps=1))


def test_the_parts_of_a_composition_are_its_stages():
    for method in ("step", "layer", "state"):
        with pytest.raises(TypeError, match=f"a composition has the {method}s of two networks"):
            getattr(MERGED, method)(0, *[None] * (1 if method == "layer" else 2))


def test_a_made_prompt_must_not_be_assumed_to_satisfy_anything():
    class Assuming(GradientDescent):
        def hypotheses(self, prompt):
            from constructions.stages import Relation

            return (Relation("x is zero", prompt.X, prompt.X.zeros(*prompt.X.shape)),)

    with pytest.raises(ValueError, match="Assuming assumes 'x is zero' of its prompt, which here is made"):
        prove(composed(MovedInputs(A=[[1]]), Assuming(step_sizes=[1]), prompt_made=moved))


def test_a_network_ends_with_a_layer():
    class Ends(MovedInputs):
        def stages(self, prompt):
            return (*super().stages(prompt), Handover(lambda F: F))

    with pytest.raises(ValueError, match="a network must end with a layer"):
        prove(composed(Ends(A=[[1]]), GradientDescent(step_sizes=[1])))


def test_compositions_compose():
    """(a then b) then c and a then (b then c), with parameters, iterates and numbers of layers of their own."""
    moving = MovedInputs(A=[[1]])
    first = composed(composed(moving, moving, prompt_made=moved), GradientDescent(step_sizes=[1]), prompt_made=twice)
    assert prove(first).holds
    drawn = exact_parameters(first, Sizes(3, 2, 1), 0, 2)
    assert check(drawn, rational_prompt(0, 3, 2, 1)).holds
    assert {"A", "A_2", "step_sizes"} <= {field.name for field in fields(first)}


def twice(iterate, prompt):
    """The prompt whose inputs two networks have moved."""
    return moved(iterate.F_2, moved(iterate.F, prompt))


def test_one_network_may_follow_itself():
    moving = MovedInputs(A=[[1]])
    both = composed(moving, moving, prompt_made=moved)
    assert prove(both).holds
