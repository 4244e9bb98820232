"""The exported PyTorch module, held against our own forward pass, on every construction that is a dense network.

The module computes the floats of the dense run in floats with a radius, bit by bit; that run encloses the exact result.
"""

from fractions import Fraction

import numpy as np
import pytest

from constructions.block import compare
from constructions.comparison import Verdict
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from numerics.dense_export import dense_network
from numerics.rounding import Rounded, RoundedBlock
from numerics.torch_module import load_torch, save_torch, to_torch
from tests.dense_instances import dense_prototypes, dyadic_sources, instance, prediction, rounded

pytestmark = pytest.mark.torch

DENSE = dense_prototypes()
THIRD = GradientDescent(step_sizes=[Fraction(1, 2), Fraction(1, 3)], W_0=[[1, 2, 3]])


def tensors(sources):
    import torch

    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in sources.items()}


def as_rounded_tensors(matrix):
    import torch

    held = rounded(matrix)
    return Rounded(torch.from_numpy(held.value), torch.from_numpy(held.radius))


def bounded_run(network, sources):
    """The dense run on tensors with a radius, from the exact weights."""
    held = {name: Rounded(tensor, tensor * 0) for name, tensor in tensors(sources).items()}
    return network.map(as_rounded_tensors)(**held)


def on_numpy(pair):
    return RoundedBlock.lift(Rounded(pair.value.numpy(), pair.radius.numpy()))


@pytest.mark.parametrize("prototype", DENSE.values(), ids=DENSE)
def test_module_equals_the_forward_pass_within_its_rounding_bound(prototype):
    import torch

    construction, sizes = instance(prototype)
    network = dense_network(construction, **sizes)
    sources = dyadic_sources(network)
    run = bounded_run(network, sources)
    assert torch.equal(to_torch(network)(**tensors(sources)), run.value)
    ours = RoundedBlock.lift(rounded(prediction(construction, sources)))
    assert compare(on_numpy(run), ours).verdict is Verdict.EQUAL


@pytest.mark.parametrize("name", ["layer_0.attention_0.head_0.W_V", "read_out", "layer_1.attention_0.head_0.W_K"])
def test_the_bound_refutes_a_module_with_a_sign_flipped(name):
    network = dense_network(THIRD, 4, 3, 1)
    sources = dyadic_sources(network)
    flipped = network.map(lambda matrix: matrix)
    flipped.weights[name] = -flipped.weights[name]
    ours = RoundedBlock.lift(rounded(prediction(THIRD, sources)))
    assert compare(on_numpy(bounded_run(flipped, sources)), ours).verdict is Verdict.DIFFERENT


def test_a_batch_runs_as_its_prompts_do():
    import torch

    # Powers of two throughout: nothing is rounded, in whatever order it is summed.
    dyadic = GradientDescent(step_sizes=[Fraction(1, 2), Fraction(1, 4)], W_0=[[1, 2, 3]])
    module, network = to_torch(dyadic, (4, 3, 1)), dense_network(dyadic, 4, 3, 1)
    prompts = [tensors(dyadic_sources(network, seed)) for seed in range(6)]
    batch = {name: torch.stack([each[name] for each in prompts]).unflatten(0, (2, 3)) for name in prompts[0]}
    assert module(**batch).shape == (2, 3, 1, 1)
    assert torch.equal(module(**batch).flatten(), torch.stack([module(**each) for each in prompts]).flatten())


def test_state_dict_has_the_names_of_the_exported_weights():
    network = dense_network(THIRD, 4, 3, 1)
    assert set(to_torch(THIRD, (4, 3, 1)).state_dict()) == set(network.weights)
    assert "layer_1.attention_0.head_0.W_V" in network.weights


def test_a_looped_weight_set_is_held_once():
    looped = GradientDescent(step_sizes=Repeated(Fraction(1, 3), 5))
    assert to_torch(looped, (4, 3)).network.run == (0, 0, 0, 0, 0)
    assert not [name for name in to_torch(looped, (4, 3)).state_dict() if name.startswith("layer_1")]


def test_dtype_is_that_which_was_asked_for():
    import torch

    module = to_torch(THIRD, (4, 3, 1), dtype=torch.float32)
    sources = {name: tensor.float() for name, tensor in tensors(dyadic_sources(dense_network(THIRD, 4, 3))).items()}
    assert module(**sources).dtype is torch.float32


def test_device_is_that_which_was_asked_for():
    module = to_torch(THIRD, (4, 3, 1), device="meta")
    sources = {name: tensor.to("meta") for name, tensor in tensors(dyadic_sources(dense_network(THIRD, 4, 3))).items()}
    assert {tensor.device.type for tensor in (*module.buffers(), module(**sources))} == {"meta"}


def test_a_trainable_module_has_gradients_everywhere_but_in_the_masks():
    module = to_torch(NewtonFromIdentity(alpha=Fraction(1, 8), steps=2), (4, 3), trainable=True)
    sources = tensors(dyadic_sources(dense_network(NewtonFromIdentity(alpha=Fraction(1, 8), steps=2), 4, 3)))
    module(**sources).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    assert {name.rpartition(".")[2] for name, _ in module.named_buffers()} == {"mask"}


def test_a_prompt_gives_the_sizes():
    prompt = Prompt([[1, 2], [0, 1]], [[3, -1]], [[2], [5]])
    module = to_torch(GradientDescent(step_sizes=[1]), prompt)
    assert module.network.sources == {"X": (2, 2), "Y": (1, 2), "x_query": (2, 1)}


def test_a_construction_without_sizes_is_refused():
    with pytest.raises(TypeError, match=r"pass a prompt, or \(n, d\) or \(n, d, m\)"):
        to_torch(THIRD)


def test_sources_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"the module was made for .* but .*'X': \(3, 5\)"):
        to_torch(THIRD, (4, 3, 1))(**tensors(dyadic_sources(dense_network(THIRD, 5, 3))))


def test_a_saved_module_is_loaded_and_computes_the_same(tmp_path):
    import torch

    network = dense_network(THIRD, 4, 3, 1)
    save_torch(network, tmp_path / "descent.pt")
    sources = tensors(dyadic_sources(network))
    assert torch.equal(load_torch(tmp_path / "descent.pt")(**sources), to_torch(network)(**sources))


def test_a_file_with_pickled_objects_is_refused(tmp_path):
    import torch

    torch.save({"state_dict": THIRD, "metadata": ""}, tmp_path / "pickled.pt")
    with pytest.raises(ValueError, match=r"pickled\.pt is no file that icl export --format torch wrote"):
        load_torch(tmp_path / "pickled.pt")


def test_a_missing_pytorch_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ImportError, match=r"install icl-theory\[torch\]"):
        to_torch(THIRD, (4, 3, 1))
