"""Widths that the parameters themselves decide, such as that of a hidden layer."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from constructions.block import compare
from constructions.comparison import Verdict
from constructions.gradient_descent import GradientDescent
from constructions.kernel_descent import MLPDescent
from constructions.layer import MLP
from constructions.parameters import Family, Repeated, lifted, matrix, parameters, widths
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.instances import Sizes, exact_parameters, float_parameters
from numerics.rationals import RationalBlock
from numerics.strategies import instances
from proofs.induction import SymbolicRun, prove
from proofs.symbols import SymbolBlock

ONE = [[1]]
PROMPT = Prompt([[1, 2, 3], [4, 5, 6]], [[1, 0, 1]], [[1], [1]])
HIDDEN = MLPDescent(step_sizes=[1], A_1=[[1, 2]] * 3, A_2=[[1, 2, 3]] * 2, b_1=[[1]] * 3)


@dataclass(frozen=True, kw_only=True, repr=False)
class WidthPerLayer(GradientDescent):
    """Gradient descent with factors that no layer uses, (h, d) in every layer."""

    factors: Any = matrix("U", "h", "d", per_layer=True, default=None)


def test_the_widths_of_a_construction_are_the_sizes_that_no_prompt_has():
    assert widths(HIDDEN) == ("h",)
    assert widths(GradientDescent(step_sizes=[1], W_0=ONE)) == ()


def test_a_width_is_that_of_the_parameters_that_have_it():
    live = lifted(HIDDEN, RationalBlock, PROMPT.lifted())
    assert (live.A_1.shape, live.A_2.shape, live.b_1.shape, live.b_2.shape) == ((3, 2), (2, 3), (3, 1), (2, 1))


def test_a_parameter_left_out_is_zero_in_the_width_of_the_others():
    live = lifted(replace(HIDDEN, b_1=None), RationalBlock, PROMPT.lifted())
    assert live.b_1.is_zero
    assert live.b_1.shape == (3, 1)


def test_parameters_that_disagree_on_a_width_are_refused():
    with pytest.raises(ValueError, match=r"A_2 must have shape \(2, 3\) for this prompt \(d x h\), but \(2, 2\) came"):
        lifted(replace(HIDDEN, A_2=[[1, 2]] * 2), RationalBlock, PROMPT.lifted())


def test_a_width_that_nothing_decides_is_refused():
    with pytest.raises(ValueError, match="no parameter says how large h is: give one that has it"):
        lifted(replace(HIDDEN, A_1=None, A_2=None, b_1=None), RationalBlock, PROMPT.lifted())


def test_a_column_has_one_column_whatever_the_prompt():
    with pytest.raises(ValueError, match=r"b_1 must have shape \(3, 1\) for this prompt \(h x 1\), but \(3, 2\) came"):
        lifted(replace(HIDDEN, b_1=[[1, 1]] * 3), RationalBlock, PROMPT.lifted())


@pytest.mark.parametrize("factors", [[None, [[1, 2]] * 3], Repeated([[1, 2]] * 3, 2)], ids=["one of two", "looped"])
def test_a_width_may_be_decided_by_a_later_layer_or_a_looped_one(factors):
    live = lifted(WidthPerLayer(step_sizes=[1, 1], factors=factors), RationalBlock, PROMPT.lifted())
    assert [U.shape for U in (live.factors[0], live.factors[1])] == [(3, 2), (3, 2)]


def test_a_lifted_construction_may_be_lifted_again():
    for kind, held in ((RationalBlock, PROMPT.lifted()), (SymbolBlock, SymbolicRun(HIDDEN).prompt)):
        construction = HIDDEN if kind is RationalBlock else SymbolicRun(HIDDEN).construction
        once = lifted(construction, kind, held)
        assert lifted(once, kind, held).b_2.shape == once.b_2.shape
    run = SymbolicRun(WidthPerLayer(step_sizes=[1], factors=[[[1, 2]]]))
    assert isinstance(run.construction.factors, Family)
    assert isinstance(lifted(run.construction, SymbolBlock, run.prompt).factors, Family)


def test_a_proof_holds_for_every_width():
    proof = prove(HIDDEN)
    assert proof.holds
    assert "h >= 1: a width that the parameters decide" in proof.free
    assert "A_1: a matrix (h, d)" in proof.free


@pytest.mark.parametrize("draw", [exact_parameters, float_parameters])
def test_drawn_parameters_agree_on_a_width(draw):
    seen = set()
    for seed in range(20):
        drawn = draw(HIDDEN, Sizes(2, 2), seed, 1)
        shapes = {name: np.shape(getattr(drawn, name)) for name in ("A_1", "A_2", "b_1")}
        h = shapes["A_1"][0]
        assert shapes == {"A_1": (h, 2), "A_2": (2, h), "b_1": (h, 1)}
        seen.add(h)
    assert seen == {1, 2, 3}


@given(instances(HIDDEN))
def test_drawn_constructions_run_at_every_width(instance):
    assert instance.construction(*(getattr(instance.prompt, name) for name in ("X", "Y", "x_query"))).shape[1] == 1


def test_a_zero_bias_adds_nothing():
    x = RationalBlock.lift([[1, -2]])
    stream = Stream({"x": 1}, {"context": 2}, {("x", "context"): x})
    weights = Weight({("h", "x"): 1}), Weight({("x", "h"): 3})
    zero = x.scale(0) @ x.T
    with_bias = MLP(*weights, inner_bias={"h": zero}, outer_bias={"x": zero})(stream)
    assert compare(with_bias["x", "context"], MLP(*weights)(stream)["x", "context"]).verdict is Verdict.EQUAL


def test_a_scalar_has_no_widths():
    assert parameters(HIDDEN)["step_sizes"].widths == ()
