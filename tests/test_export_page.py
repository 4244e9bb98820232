"""The forward pass that docs/export.md writes out, from nothing but the file, is that of the constructions."""

from dataclasses import replace

import numpy as np
import pytest

from numerics.dense_export import dense_network
from numerics.network_files import save_npz
from tests.dense_instances import dense_prototypes, dyadic_sources, instance, prediction, rounded
from tests.test_documents import TEXTS, fenced_blocks

KINDS = {
    "two_softmax_heads_take_the_centred_gradient_step": "softmax",
    "momentum_attention_adds_a_strictly_causal_toeplitz_matrix": "softmax under a causal mask",
    "exponential_attention_takes_functional_gradient_steps": "exp",
    "interleaved_relu_network_runs_newton_in_k_plus_8_layers": "relu attention, both kinds of MLP, factors",
    "one_layer_learner_is_one_gradient_step": "attention that replaces the tokens",
    "position_codes_run_online_gradient_descent": "token map, constants",
}
"""Theorems by what their networks have."""


def agrees(source, name, folder):
    """Whether the forward pass of that source predicts from a file what the construction does in exact numbers."""
    namespace = {"np": np}
    exec(source, namespace)
    construction, sizes = instance(dense_prototypes()[name])
    network = dense_network(construction, **sizes)
    save_npz(network, folder / "network.npz")
    sources = dyadic_sources(network, seed=1)
    found = namespace["forward_pass"](folder / "network.npz", **sources)
    return np.allclose(found, rounded(prediction(construction, sources)).value, rtol=1e-9, atol=1e-12)


def shown():
    """The block of the page that defines the forward pass."""
    (source,) = (block.source for block in fenced_blocks(TEXTS["export.md"]) if "def forward_pass" in block.source)
    return source


@pytest.mark.parametrize("name", KINDS, ids=KINDS.values())
def test_the_forward_pass_of_the_page_is_that_of_the_construction(name, tmp_path):
    assert agrees(shown(), name, tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("A = mask * scored[score]", "A = scored[score]", "softmax"),
        ("A = A / np.where(total == 0, 1, total)", "pass", "softmax"),
        ("factor * (P", "(P", "relu attention, both kinds of MLP, factors"),
        ('"relu": S.clip(0)', '"relu": S', "relu attention, both kinds of MLP, factors"),
        ('H[:, about["read"]]', "H[:, :1]", "softmax"),
    ],
)
def test_another_forward_pass_is_not(right, wrong, kind, tmp_path):
    (name,) = (name for name, what in KINDS.items() if what == kind)
    assert right in shown()
    assert not agrees(shown().replace(right, wrong), name, tmp_path)


def test_a_part_without_skip_replaces_the_tokens(tmp_path):
    construction, sizes = instance(dense_prototypes()["two_softmax_heads_take_the_centred_gradient_step"])
    network = dense_network(construction, **sizes).as_floats()
    network = replace(network, layers=tuple(tuple(replace(part, skip=False) for part in at) for at in network.layers))
    save_npz(network, tmp_path / "network.npz")
    sources = dyadic_sources(network)
    namespace = {"np": np}
    for source, is_right in ((shown(), True), (shown().replace('H + update if part["skip"] else update', "H"), False)):
        exec(source, namespace)
        found = namespace["forward_pass"](tmp_path / "network.npz", **sources)
        assert np.allclose(found, network(**sources), rtol=1e-9) is is_right
