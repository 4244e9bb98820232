"""Dense networks and their files: what is exported, and that a file read back runs as the construction does."""

import json
import sys
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from constructions.block import compare
from constructions.chain_of_thought import ChainOfThought
from constructions.comparison import Verdict
from constructions.dual_form import DualForm
from constructions.functional_descent import FunctionalDescent
from constructions.gradient_descent import GradientDescent
from constructions.kernel_descent import FeatureDescent
from constructions.kernels import rbf
from constructions.parameters import Repeated, generic
from numerics.dense_export import NotDense, dense_network
from numerics.network_files import load, metadata, save_npz, save_safetensors
from numerics.rationals import RationalBlock, as_fmpq
from tests.dense_instances import dense_prototypes, dyadic_sources, instance, prediction, prototypes, rounded

DESCENT = GradientDescent(step_sizes=[Fraction(1, 2), Fraction(1, 4)], W_0=[[1, 2, 3]])
FORMATS = [("weights.npz", save_npz), ("weights.safetensors", save_safetensors)]
EVERY_FORMAT = pytest.mark.parametrize(("name", "save"), FORMATS, ids=["npz", "safetensors"])


def exact(sources):
    return {name: RationalBlock.lift(array).entry for name, array in sources.items()}


def as_bytes(text):
    return np.frombuffer(text.encode(), dtype=np.uint8)


def test_what_is_no_dense_network_is_known():
    refused = {type(held).__name__ for name, held in prototypes().items() if name not in dense_prototypes()}
    kernels = {"ClosedForm", "Error", "Spectrum", "Bound", ""}
    assert refused == {f"FunctionalDescent{end}" for end in kernels} | {
        "AlternatingDescent",
        "ChainOfThought",
        "ChainOfThoughtClosedForm",
        "ChainOfThoughtSpectrum",
        "DualForm",
        "FeatureDescent",
        "FeatureDescentLimit",
        "KernelSumWithoutStepSize",
        "PreconditionedChainOfThought",
        "SparseChainOfThought",
        "TwoKernelDescent",
    }


@EVERY_FORMAT
def test_a_file_read_back_runs_exactly_as_the_construction(name, save, tmp_path):
    if save is save_safetensors:
        pytest.importorskip("safetensors")
    network = dense_network(DESCENT, 4, 3)  # dyadic weights: the file holds them exactly
    save(network, tmp_path / name)
    sources = dyadic_sources(network)
    result = load(tmp_path / name)(**exact(sources))
    assert np.array_equal(result, prediction(DESCENT, sources))


@pytest.mark.parametrize("prototype", list(dense_prototypes().values())[::6])
def test_a_file_holds_the_exact_weights_rounded_once(prototype, tmp_path):
    construction, sizes = instance(prototype)
    network = dense_network(construction, **sizes)
    save_npz(network, tmp_path / "weights.npz")
    loaded = load(tmp_path / "weights.npz")
    assert metadata(loaded) == metadata(network)
    for name, matrix in network.weights.items():
        assert np.array_equal(rounded(matrix).value, loaded.weights[name]), name


def test_a_network_in_rationals_equals_the_forward_pass_of_every_second_construction():
    for prototype in list(dense_prototypes().values())[::2]:
        construction, sizes = instance(prototype, n=3, d=2, m=1)
        network = dense_network(construction, **sizes)
        sources = dyadic_sources(network)
        ours = prediction(construction, sources)
        if type(ours.flat[0]).__name__ == "fmpq":
            assert np.array_equal(network(**exact(sources)), ours), type(construction).__name__


def test_a_wrong_weight_is_seen_by_the_run():
    network = dense_network(DESCENT, 4, 3)
    sources = dyadic_sources(network)
    network.weights["layer_1.attention_0.head_0.W_V"] *= as_fmpq(-1)
    ours = prediction(DESCENT, sources)
    result = compare(RationalBlock.lift(network(**exact(sources))), RationalBlock.lift(ours))
    assert result.verdict is Verdict.DIFFERENT


def test_floats_run_in_a_batch():
    network = dense_network(DESCENT, 4, 3)
    prompts = [dyadic_sources(network, seed) for seed in range(3)]
    batch = {name: np.stack([each[name] for each in prompts]) for name in prompts[0]}
    singly = np.stack([network.as_floats()(**each) for each in prompts])
    assert np.array_equal(network.as_floats()(**batch), singly)  # powers of two: nothing is rounded


def test_a_file_needs_no_pickle(tmp_path):
    save_npz(dense_network(DESCENT, 4, 3), tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as archive:
        about = json.loads(bytes(archive["metadata"]))
        assert archive["layer_0.attention_0.head_0.W_K"].shape == (4, 4)
    assert about["slots"] == {"x": 3, "y": 1}
    assert about["groups"] == {"context": 4, "query": 1}
    assert about["layers"][0] == [{"name": "attention_0", "skip": True, "scores": ["linear"], "activation": ""}]


def test_a_looped_weight_set_is_stored_once():
    network = dense_network(GradientDescent(step_sizes=Repeated(1, 7)), 2, 2)
    assert network.run == (0,) * 7
    assert len(network.layers) == 1


# What cannot be exported.


@pytest.mark.parametrize(
    ("construction", "message"),
    [
        (FunctionalDescent(step_sizes=[1], kernel=rbf()), "head 0 of layer 0 has the kernel rbf as its score"),
        (ChainOfThought(eta=1, tokens=2), "ChainOfThought generates tokens"),
        (DualForm(errors=[[[1, 2]]]), "layer 0 is a function, a map of streams without weights"),
        (FeatureDescent(step_sizes=[1]), "the map 'phi' is arbitrary"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_has_no_dense_weights_is_refused(construction, message):
    with pytest.raises(NotDense, match=message):
        dense_network(construction, 2, 2)


@dataclass(frozen=True, kw_only=True, repr=False)
class Squared(GradientDescent):
    """Gradient descent on squared inputs."""

    def embed(self, prompt):
        return super().embed(type(prompt)(prompt.X.square(), prompt.Y, prompt.x_query))


@dataclass(frozen=True, kw_only=True, repr=False)
class StartedAtTheData(GradientDescent):
    """Gradient descent whose value weights hold the data."""

    def layer(self, l, prompt):
        return type(self)(step_sizes=self.step_sizes, W_0=prompt.Y @ prompt.X.T).parent(l, prompt)

    def parent(self, l, prompt):
        return super().layer(l, prompt)


@dataclass(frozen=True, kw_only=True, repr=False)
class ReadsASquare(GradientDescent):
    """Gradient descent that predicts a square."""

    def read_out(self, stream):
        return stream["y", "query"].square()


@pytest.mark.parametrize(
    ("construction", "message"),
    [
        (Squared(step_sizes=[1]), "Squared: its tokens are no linear map of the prompt"),
        (StartedAtTheData(step_sizes=[1]), "W_V depends on the data of the prompt"),
        (ReadsASquare(step_sizes=[1]), "ReadsASquare: its read-out is no matrix applied to some of the tokens"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_no_network_of_matrices_is_refused(construction, message):
    with pytest.raises(NotDense, match=message):
        dense_network(construction, 2, 2)


@pytest.mark.parametrize(
    ("construction", "sizes", "message"),
    [
        (generic(DESCENT), {"n": 2, "d": 2}, r"the parameter step_sizes \(eta\) has no value"),
        (DESCENT, {"n": 0, "d": 3}, "n = 0: it must be an int, at least 1"),
        (DESCENT, {"n": 2, "d": 3, "t": 1}, "GradientDescent has no size t"),
        (DESCENT, {"n": 2, "d": 2}, r"W_0 must have shape \(1, 2\)"),
        (ChainOfThought(eta=1, tokens=2), {"n": 2, "d": 2, "m": 2}, "is meant for m = 1, but m = 2 came"),
    ],
)
def test_bad_sizes_and_parameters_are_refused(construction, sizes, message):
    with pytest.raises(ValueError, match=message):
        dense_network(construction, **sizes)


def test_a_further_size_must_be_said():
    prototype = prototypes()["relaxed_attention_is_an_update_of_the_zero_shot_map"]
    construction, sizes = instance(prototype)
    (further,) = sizes.keys() - {"n", "d", "m"}
    with pytest.raises(ValueError, match=f"has a further size {further}: say how large it is"):
        dense_network(construction, 2, 3, 2)


# Files that are none.


def test_a_prompt_of_other_sizes_is_refused():
    network = dense_network(DESCENT, 4, 3)
    with pytest.raises(ValueError, match=r"the network was made for .*'X': \(3, 5\)"):
        network(**dyadic_sources(dense_network(DESCENT, 5, 3)))


def test_a_file_that_needs_pickle_is_refused(tmp_path):
    np.savez(tmp_path / "weights.npz", W=np.array([object()]))
    with pytest.raises(ValueError, match="nothing pickled is ever loaded"):
        load(tmp_path / "weights.npz")


@EVERY_FORMAT
def test_a_file_that_is_none_is_refused(name, save, tmp_path):
    if save is save_safetensors:
        pytest.importorskip("safetensors")
    (tmp_path / name).write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"weights\.\w+ cannot be read as"):
        load(tmp_path / name)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"its name must end in \.npz or \.safetensors"):
        load(tmp_path / "weights.csv")


def test_a_file_of_another_format_is_refused(tmp_path):
    np.savez(tmp_path / "weights.npz", metadata=as_bytes('{"format": "another"}'))
    with pytest.raises(ValueError, match="has no metadata of the format 'icl-theory dense network 1'"):
        load(tmp_path / "weights.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held.pop("read_out"), r"lacks \['read_out'\]"),
        (lambda held: held.update(more=np.zeros((1, 1))), r"has unexpected \['more'\]"),
        (lambda held: held.update(constant=np.zeros((2, 2))), r"constant has shape \(2, 2\)"),
        (lambda held: held["constant"].fill(np.nan), "constant holds NaN"),
        (
            lambda held: held.update(
                metadata=as_bytes(bytes(held["metadata"]).decode().replace('"linear"', '"cubic"'))
            ),
            r"attention_0 has the scores \['cubic'\]",
        ),
    ],
    ids=["missing", "unexpected", "shape", "NaN", "score"],
)
def test_a_file_with_matrices_that_do_not_fit_is_refused(change, message, tmp_path):
    save_npz(dense_network(DESCENT, 4, 3), tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz") as archive:
        held = dict(archive)
    change(held)
    np.savez(tmp_path / "weights.npz", **held)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "weights.npz")


def test_a_missing_safetensors_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"install icl-theory\[safetensors\]"):
        save_safetensors(dense_network(DESCENT, 4, 3), tmp_path / "weights.safetensors")
