"""A construction without an invariant: only its prediction is compared, and what that cannot say is said."""

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from constructions import GradientDescent, Prompt, Single, layer_count, scalar
from constructions.claims import NoInvariant, claims
from constructions.composition import composed
from constructions.construction import Construction
from constructions.parameters import Unspecified, generic, lifted, matrix
from numerics import check
from numerics.rationals import RationalBlock
from proofs import prove

PROMPT = Prompt([[1, 2, 3], [0, 1, 1]], [[1, 0, 2]], [[1], [2]])


class Silent(GradientDescent):
    """Gradient descent of which no invariant is stated."""

    state = Construction.state


class SilentInTheLastLayer(GradientDescent):
    """Gradient descent of k layers with their invariant, and one layer more without."""

    def stages(self, prompt):
        (loop,) = super().stages(prompt)
        last = loop.times - 1
        return replace(loop, times=last), Single(loop.layer(last), lambda _: None, lambda W: loop.step(last, W))


class WrongSign(Silent):
    """The query's sign is forgotten in the end."""

    def read_out(self, stream):
        return stream["y", "query"]


class SometimesSilent(GradientDescent):
    def state(self, l, W, prompt):
        return super().state(l, W, prompt) if l == 0 else None


def test_without_an_invariant_the_prediction_is_all_that_is_claimed():
    held = PROMPT.lifted(RationalBlock)
    (claim,) = claims(lifted(Silent(step_sizes=[1, 2]), RationalBlock, held), held)
    assert claim.kind == "end to end"
    assert claim.left.entry.tolist() == claim.right.entry.tolist()


def test_a_right_prediction_holds_without_an_invariant():
    assert check(Silent(step_sizes=[1, Fraction(1, 2)]), PROMPT).holds


def test_a_wrong_prediction_is_found_without_an_invariant():
    assert check(WrongSign(step_sizes=[1]), PROMPT).failure.place == "end to end"


def test_a_change_of_a_layer_reaches_the_prediction_without_an_invariant():
    report = check(
        Silent(step_sizes=[1]), PROMPT, end_to_end=False, change=lambda stage, layer: type(layer)(*layer.sublayers * 2)
    )
    assert report.failure.place == "end to end"


def test_an_invariant_may_end_before_the_last_layer():
    report = check(SilentInTheLastLayer(step_sizes=[1, Fraction(1, 2)]), PROMPT)
    assert report.holds
    assert report.claims > 4


def test_a_state_is_none_for_all_layers_of_a_loop_or_for_none():
    with pytest.raises(ValueError, match="must be so for all or none"):
        check(SometimesSilent(step_sizes=[1, 1]), PROMPT)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_the_prediction_is_proved_for_all_sizes_at_one_number_of_layers(layers):
    proof = prove(Silent(step_sizes=[1], W_0=[[1]]), layers=layers)
    assert proof.holds
    assert [identity.claim.kind for identity in proof.identities] == ["end to end"]


def test_a_wrong_prediction_is_not_proved():
    assert not prove(WrongSign(step_sizes=[1]), layers=1).holds


def test_no_induction_is_possible_without_an_invariant():
    with pytest.raises(NoInvariant, match=r"Silent has no invariant.*prove\(construction, layers=2\)"):
        prove(Silent(step_sizes=[1]))


def test_a_proof_at_one_number_of_layers_says_so():
    free = " ".join(prove(GradientDescent(step_sizes=[1]), layers=2).free)
    assert "k = 2" in free
    assert ">= 0" not in free


def test_a_network_without_an_invariant_is_not_composed():
    with pytest.raises(ValueError, match="a network without an invariant cannot be composed"):
        check(composed(GradientDescent(step_sizes=[1]), Silent(step_sizes=[1])), PROMPT)


def test_a_construction_without_an_invariant_is_printed_as_such():
    assert "no invariant: nothing is claimed" in str(Silent(step_sizes=[1]))


# The number of layers, and the decorator, may be left out where they are plain.


def test_depth_is_that_of_the_parameters_per_layer():
    assert Plain(rate=[1, 2, 3]).depth == 3
    assert Counted(k=4).depth == 4


def test_a_depth_that_no_parameter_says_is_asked_for():
    with pytest.raises(TypeError, match=r"how many layers does Undecided have\? it has no parameter per layer; say so"):
        Undecided().depth  # noqa: B018


def test_a_forgotten_decorator_is_named():
    with pytest.raises(TypeError, match=r"Forgotten declares rate, but is no dataclass: decorate it with @dataclass"):
        lifted(Forgotten(), RationalBlock, PROMPT.lifted())


def test_every_layer_of_a_known_number_has_a_letter_of_its_own():
    free = generic(Plain(rate=[1]), layers=2)
    assert free.rate == (Unspecified("r", index=0), Unspecified("r", index=1))
    assert generic(Counted(k=1), layers=2).k == 2


def test_a_prompt_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="OnTheLine is meant for 1 features, but X has 2 rows"):
        check(OnTheLine(step_sizes=[1]), PROMPT)


def test_a_construction_for_one_dimension_is_proved_for_it():
    assert prove(OnTheLine(step_sizes=[1], W_0=[[1]])).holds


class OnTheLine(GradientDescent):
    dimension = 1


class Bare(Construction):
    """What every construction must say, saying nothing."""

    def initial(self, prompt):
        return prompt.Y

    def step(self, l, iterate, prompt):
        return iterate

    predict = read_out = embed = layer = step


class Undecided(Bare):
    pass


class Forgotten(Bare):
    rate: object = scalar("r")


@dataclass(frozen=True)
class Plain(Bare):
    rate: object = scalar("r", per_layer=True)
    other: object = matrix("P", "d", "d", default=None)


@dataclass(frozen=True)
class Counted(Bare):
    k: int = layer_count("k")
