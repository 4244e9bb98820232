"""Weights from files and from PyTorch: ``.npz``, ``.safetensors`` and a ``state_dict`` with a stated layout.

Nothing is ever unpickled: a file that would need it could run any code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".npy")
"""Files that are, or may be, pickles."""

Matrices = dict[str, NDArray[Any]]
"""The dense matrices of one head, by name: W_K, W_Q, W_V and P."""


@dataclass(frozen=True)
class Part:
    """One of several equal parts of the rows of an entry, as of the ``in_proj_weight`` that holds W_Q, W_K and W_V.

    Args:
        key: the entry.
        index: which part, from 0.
        of: how many there are.
    """

    key: str
    index: int
    of: int


Layout = Mapping[str, str | Part]
"""From W_Q, W_K, W_V (and P) to the entry that holds it; ``{layer}`` in it is the number of the layer, from 0."""


def load_weights(path: str | Path) -> dict[str, NDArray[Any]]:
    """The arrays of a ``.npz`` or ``.safetensors`` file by name.

    Raises:
        ValueError: for another kind of file, one that is or needs a pickle, and for NaN and infinities.
        OSError: if the file cannot be read.
        ImportError: if ``safetensors``, an extra, is not installed.
    """
    path = Path(path)
    if path.suffix == ".npz":
        arrays = _from_npz(path)
    elif path.suffix == ".safetensors":
        arrays = _from_safetensors(path)
    else:
        refused = (
            "is, or may be, a pickle, which could run any code" if path.suffix in PICKLES else "is of another kind"
        )
        raise ValueError(
            f"{path} {refused}: .npz and .safetensors are read; numpy.savez or safetensors.torch.save_file writes them"
        )
    for name, array in arrays.items():
        _require_finite(name, array)
    return arrays


def state_dict_heads(
    state: Mapping[str, Any],
    layout: Layout,
    *,
    heads: int = 1,
    transposed: bool = False,
    ignored: Collection[str] = (),
) -> list[list[Matrices]]:
    """The dense matrices of every head of every layer of a trained model: ``found[layer][head]["W_K"]``.

    Args:
        state: a ``state_dict``, or the arrays of a file, by name.
        layout: which entry is which matrix, such as {"W_Q": "layers.{layer}.query.weight", ...}. The weight of a
            ``torch.nn.Linear`` is (out, in), as W_K (r, D) is here.
        heads: the number of heads: the rows of W_Q, W_K and W_V, and the columns of P, are theirs one after another.
        transposed: whether every entry is stored as (in, out).
        ignored: entries that are not used, by name.

    Raises:
        ValueError: if an entry is missing, unexpected, no matrix, not finite, or cannot be cut into parts or heads.
    """
    if unknown := set(layout) - {"W_Q", "W_K", "W_V", "P"}:
        raise ValueError(f"the layout names {', '.join(sorted(unknown))}: it must say where W_Q, W_K, W_V and P are")
    if missing := {"W_Q", "W_K", "W_V"} - set(layout):
        raise ValueError(
            f"the layout does not say where {', '.join(sorted(missing))} {'is' if len(missing) == 1 else 'are'}"
        )
    depth = _depth(state, layout["W_Q"])
    used = {_key(place, layer) for place in layout.values() for layer in range(depth)}
    for key in sorted(used - set(state)):
        near = get_close_matches(key, list(state), n=2)
        raise ValueError(
            f"there is no entry {key!r}; " + (f"did you mean {' or '.join(near)}?" if near else _has(state))
        )
    if unexpected := sorted(set(state) - used - set(ignored)):
        raise ValueError(
            f"the layout does not say what these are: {', '.join(unexpected)}; name them in it, or in ignored if they "
            "play no part"
        )
    found = []
    for layer in range(depth):
        whole = {name: _matrix(state, place, layer, transposed) for name, place in layout.items()}
        found.append(
            [{name: _of_head(name, matrix, head, heads) for name, matrix in whole.items()} for head in range(heads)]
        )
    return found


def _from_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        held = np.load(path, allow_pickle=False)
        if not isinstance(held, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array without a name")
        with held:
            return {name: held[name] for name in held.files}
    except (ValueError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read as arrays of numbers ({error}); what needs a pickle is never read, since it could "
            "run any code: save arrays of numbers, none of objects, with numpy.savez"
        ) from error


def _from_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise ImportError(f"safetensors cannot be imported ({error}): install icl-theory[safetensors]") from error
    try:
        return dict(load_file(path))
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as float or integer arrays ({error}): save them as float32") from error


def _depth(state: Mapping[str, Any], place: str | Part) -> int:
    """The number of layers, at least one: as many as have the entry."""
    depth = 1
    while _key(place, depth) != _key(place, 0) and _key(place, depth) in state:
        depth += 1
    return depth


def _has(state: Mapping[str, Any]) -> str:
    return f"there are {', '.join(sorted(state))}" if state else "there is none at all"


def _key(place: str | Part, layer: int) -> str:
    return (place if isinstance(place, str) else place.key).replace("{layer}", str(layer))


def _matrix(state: Mapping[str, Any], place: str | Part, layer: int, transposed: bool) -> NDArray[Any]:
    key = _key(place, layer)
    held = state[key]
    array = np.asarray(held.detach().cpu().numpy() if hasattr(held, "detach") else held)
    if array.ndim != 2:
        raise ValueError(f"{key} must be a matrix, but its shape is {array.shape}")
    _require_finite(key, array)
    array = array.T if transposed else array
    if isinstance(place, str):
        return array
    return _part(key, array, place.index, place.of)


def _of_head(name: str, matrix: NDArray[Any], head: int, heads: int) -> NDArray[Any]:
    return _part(name, matrix.T, head, heads).T if name == "P" else _part(name, matrix, head, heads)


def _part(name: str, array: NDArray[Any], index: int, of: int) -> NDArray[Any]:
    if of < 1 or not 0 <= index < of or len(array) % of:
        raise ValueError(f"{name} has {len(array)} rows (P: columns), so there is no part {index} of {of} equal ones")
    size = len(array) // of
    return array[index * size : (index + 1) * size]


def _require_finite(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} has the dtype {array.dtype}: arrays of real numbers are required")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has an entry that is NaN or infinite")
