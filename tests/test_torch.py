"""The dense forward pass in PyTorch, with the exported weights, against the forward pass over blocks.

Both carry a rounding radius that is computed, PyTorch's beside its own values; nobody chose a tolerance.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from benchmarks import dense_torch, networks, rounding_bound
from benchmarks.rounding_bound import Bounded
from constructions.block import compare
from constructions.comparison import Verdict
from constructions.construction import forward, streams
from constructions.dense import dense_forward
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.layer import Layer, TokenMap
from constructions.preconditioned import PreconditionedDescent
from constructions.weights import Weight
from numerics.instances import Sizes, float_parameters, float_prompt
from numerics.rounding import Rounded, RoundedBlock

pytestmark = pytest.mark.torch

PROTOTYPES = [
    GradientDescent(step_sizes=[1], W_0=[[1]]),
    GDPlusPlus(step_sizes=[1], curvature_steps=[1], W_0=[[1]]),
    PreconditionedDescent(preconditioners=[[[1]]], W_0=[[1]]),
]
SIZES = [Sizes(1, 1, 1), Sizes(2, 4, 1), Sizes(5, 3, 2), Sizes(7, 7, 3)]


def instance(prototype, sizes, depth, dtype):
    """A construction with weights drawn at random, and a prompt."""
    return float_parameters(prototype, sizes, 1, depth, dtype), float_prompt(2, *sizes, dtype)


def by_blocks(construction, prompt):
    """Our token matrix after the last layer, with its radius."""
    *_, last = streams(construction, prompt.lifted(RoundedBlock))
    return last.dense()


def on_torch(construction, prompt):
    """The tokens before the first layer, and the exported weights: tensors that carry their radius."""
    held = replace(construction, **{name: as_tensors(value) for name, value in vars(construction).items()})
    tensors = prompt.map(as_tensors).lifted(RoundedBlock)
    layers = dense_torch.layers_of(held, tensors, Bounded.lift)
    return Bounded(next(dense_forward(held, tensors))), layers


def as_tensors(value):
    """NumPy arrays as tensors, also in a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(as_tensors(part) for part in value)
    return dense_torch.tensor(value) if isinstance(value, np.ndarray) else value


def as_rounded_tensors(block):
    return Rounded(dense_torch.tensor(block.value), dense_torch.tensor(block.radius))


def on_numpy(bounded):
    """What PyTorch computed, with its radius, beside our own blocks."""
    return RoundedBlock.lift(Rounded(bounded.value.numpy(), bounded.radius.numpy()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda prototype: type(prototype).__name__)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_dense_pytorch_with_exported_weights_equals_the_blocks_within_rounding(prototype, sizes, depth, dtype):
    construction, prompt = instance(prototype, sizes, depth, dtype)
    comparison = compare(
        on_numpy(dense_torch.by_columns(*on_torch(construction, prompt))), by_blocks(construction, prompt)
    )
    assert comparison.verdict is Verdict.EQUAL, comparison


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda prototype: type(prototype).__name__)
@pytest.mark.parametrize("matrix", ["W_V", "W_K"])
def test_the_bound_refutes_a_weight_with_its_sign_flipped(prototype, matrix):
    construction, prompt = instance(prototype, Sizes(5, 3, 2), 2, np.float64)

    H, ((head,), *layers) = on_torch(construction, prompt)
    flipped = ((head._replace(**{matrix: -getattr(head, matrix)}),), *layers)
    comparison = compare(on_numpy(dense_torch.by_columns(H, flipped)), by_blocks(construction, prompt))
    assert comparison.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda prototype: type(prototype).__name__)
@pytest.mark.parametrize("forward_pass", [dense_torch.by_rows, dense_torch.reassociated])
def test_tokens_as_rows_equal_the_blocks_within_rounding(prototype, forward_pass):
    construction, prompt = instance(prototype, Sizes(5, 3, 2), 2, np.float64)
    H, layers = on_torch(construction, prompt)
    result = on_numpy(forward_pass(H.mT, layers).mT)
    assert compare(result, by_blocks(construction, prompt)).verdict is Verdict.EQUAL


HAND_WRITTEN = [
    pytest.param(network, each, id=f"{network.name}: {each.name}")
    for network in (networks.gradient_descent(5, 3, 2, 4), networks.newton(5, 3, 2, 4))
    for each in network.hand_written
]


def by_hand(run, written, prompt, ops, lifted):
    entries = [lifted(dense_torch.tensor(each)) for each in (prompt.X, prompt.Y, prompt.x_query)]
    identity = lifted(dense_torch.tensor(np.eye(prompt.X.shape[-2])))
    prediction = run(ops, identity, *([each.mT for each in entries] if written.is_by_rows else entries))
    return prediction.mT if written.is_by_rows else prediction


@pytest.mark.parametrize(("network", "written"), HAND_WRITTEN)
def test_a_pass_by_hand_equals_the_blocks_within_rounding(network, written):
    prompt = float_prompt(3, 5, 3, 2)
    result = on_numpy(by_hand(written.bounded or written.run, written, prompt, rounding_bound, Bounded.lift))
    blocks = forward(network.construction, prompt.lifted(RoundedBlock))
    assert compare(result, blocks).verdict is Verdict.EQUAL
    assert compare(on_numpy(-Bounded.lift(as_rounded_tensors(result))), blocks).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(("network", "written"), HAND_WRITTEN)
def test_a_pass_by_hand_computes_within_the_bound_of_its_bounded_twin(network, written):
    import torch

    prompt = float_prompt(3, 5, 3, 2)
    bounded = by_hand(written.bounded or written.run, written, prompt, rounding_bound, Bounded.lift)
    batched = prompt.map(lambda entry: entry[None])
    computed = by_hand(written.run, written, batched, torch, lambda tensor: tensor)
    assert (abs(computed[0] - bounded.value) <= 2 * bounded.radius).all()


@dataclass(frozen=True, kw_only=True, repr=False)
class WithTokenMap(GradientDescent):
    """Gradient descent with a token map after each head."""

    def layer(self, l, prompt):
        return Layer(*super().layer(l, prompt).sublayers, TokenMap(Weight({("y", "y"): 1})))


def test_a_network_with_other_parts_than_attention_is_refused():
    with pytest.raises(
        ValueError, match=r"layer_0.token_map_1.A was exported: the dense forward pass is for layers of"
    ):
        dense_torch.layers_of(WithTokenMap(step_sizes=[1]), float_prompt(0, 2, 2))
