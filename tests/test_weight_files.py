"""Weights from files and from PyTorch; nothing is ever unpickled."""

import pickle

import numpy as np
import pytest

from numerics import Part, load_weights, state_dict_heads

Q, K, V, P = (np.arange(9.0).reshape(3, 3) + shift for shift in (0, 10, 20, 30))
LAYOUT = {
    "W_Q": "layers.{layer}.query",
    "W_K": "layers.{layer}.key",
    "W_V": "layers.{layer}.value",
    "P": "layers.{layer}.out",
}
STATE = {
    f"layers.{l}.{name}": matrix + l
    for l in (0, 1)
    for name, matrix in (("query", Q), ("key", K), ("value", V), ("out", P))
}


def test_arrays_come_back_from_npz(tmp_path):
    np.savez(tmp_path / "w.npz", a=Q, b=K)
    held = load_weights(tmp_path / "w.npz")
    assert list(held) == ["a", "b"]
    assert np.array_equal(held["b"], K)


def test_arrays_come_back_from_safetensors(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy", reason="needs icl-theory[safetensors]").save_file
    save_file({"a": Q}, tmp_path / "w.safetensors")
    assert np.array_equal(load_weights(str(tmp_path / "w.safetensors"))["a"], Q)


def test_what_is_no_safetensors_is_refused(tmp_path):
    pytest.importorskip("safetensors", reason="needs icl-theory[safetensors]")
    (tmp_path / "w.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"w\.safetensors cannot be read as float or integer arrays"):
        load_weights(tmp_path / "w.safetensors")


def test_missing_safetensors_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"install icl-theory\[safetensors\]"):
        load_weights(tmp_path / "w.safetensors")


class Bomb:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.pkl", "w.bin", "w.npy"])
def test_a_pickle_is_refused_by_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="is, or may be, a pickle, which could run any code"):
        load_weights(tmp_path / name)


def test_an_npz_that_needs_a_pickle_is_refused(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match=r"w\.npz cannot be read.*never read, since it could run any code"):
        load_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("content", [pickle.dumps(1), b"", b"PK nothing"])
def test_what_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.npz cannot be read"):
        load_weights(tmp_path / "w.npz")


def test_a_lone_array_is_refused(tmp_path):
    with (tmp_path / "w.npz").open("wb") as file:
        np.save(file, Q)
    with pytest.raises(ValueError, match="one array without a name"):
        load_weights(tmp_path / "w.npz")


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"w\.csv is of another kind"):
        load_weights(tmp_path / "w.csv")


@pytest.mark.parametrize(
    ("array", "said"),
    [(np.array([1.0, np.nan]), "a has an entry that is NaN"), (np.array(["x"]), "a has the dtype <U1")],
)
def test_entries_that_are_no_finite_numbers_are_refused_by_name(tmp_path, array, said):
    np.savez(tmp_path / "w.npz", a=array)
    with pytest.raises(ValueError, match=said):
        load_weights(tmp_path / "w.npz")


def test_every_layer_and_head_gets_its_rows():
    found = state_dict_heads(STATE | {"norm": np.ones(3)}, LAYOUT, heads=3, ignored=["norm"])
    assert [len(heads) for heads in found] == [3, 3]
    head = found[1][2]
    assert np.array_equal(head["W_Q"], Q[2:] + 1)
    assert np.array_equal(head["P"], P[:, 2:] + 1)


def test_parts_of_a_packed_entry_are_told():
    packed = {"in": np.concatenate([Q, K, V])}
    ((head,),) = state_dict_heads(packed, {name: Part("in", i, 3) for i, name in enumerate(("W_Q", "W_K", "W_V"))})
    assert np.array_equal(head["W_K"], K)


def test_a_transposed_layout_is_turned():
    ((head,),) = state_dict_heads({"q": Q.T, "k": K.T, "v": V.T}, {"W_Q": "q", "W_K": "k", "W_V": "v"}, transposed=True)
    assert np.array_equal(head["W_V"], V)


@pytest.mark.parametrize(
    ("state", "changes", "options", "said"),
    [
        (STATE | {"layers.0.bias": Q}, {}, {}, r"does not say what these are: layers\.0\.bias; name them in it"),
        (STATE | {"layers.2.out": P}, {}, {}, r"does not say what these are: layers\.2\.out"),
        (STATE, {"P": "layers.{layer}.outs"}, {}, r"no entry 'layers\.0\.outs'; did you mean layers\.0\.out"),
        (STATE, {"P": "zzz"}, {}, r"no entry 'zzz'; there are layers\.0\.key"),
        ({}, {}, {}, "there is none at all"),
        (STATE, {"W_O": "zzz"}, {}, "the layout names W_O"),
        (STATE, {}, {"heads": 2}, r"W_Q has 3 rows .* no part 0 of 2 equal ones"),
        (STATE | {"layers.0.key": K[0]}, {}, {}, r"layers\.0\.key must be a matrix, but its shape is \(3,\)"),
        (STATE | {"layers.0.key": K * np.inf}, {}, {}, r"layers\.0\.key has an entry that is NaN or infinite"),
    ],
)
def test_a_state_dict_that_does_not_fit_its_layout_is_refused(state, changes, options, said):
    with pytest.raises(ValueError, match=said):
        state_dict_heads(state, LAYOUT | changes, **options)


def test_a_layout_without_values_is_refused():
    with pytest.raises(ValueError, match="does not say where W_V is"):
        state_dict_heads(STATE, {name: LAYOUT[name] for name in ("W_Q", "W_K", "P")})


@pytest.mark.torch
def test_the_linear_layers_of_pytorch_are_w_k_and_w_q():
    import torch

    module = torch.nn.ModuleDict({name: torch.nn.Linear(3, 2, bias=False) for name in ("q", "k", "v")})
    layout = {"W_Q": "q.weight", "W_K": "k.weight", "W_V": "v.weight"}
    ((head,),) = state_dict_heads(module.state_dict(), layout)
    assert head["W_K"].shape == (2, 3)
    token = torch.ones(3)
    assert np.array_equal(head["W_K"] @ np.ones(3, dtype=np.float32), module["k"](token).detach().numpy())
