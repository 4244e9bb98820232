"""Network files: dense networks in ``.npz`` and ``.safetensors`` files, without pickle.

A file holds the matrices under their names (see ``numerics.dense_network``), and one text in JSON, ``metadata``: the
sizes, slots, groups, positions of the tokens, sources, parts of the layers with their scores and activations, the order
of the run, and, under ``about``, what was exported: the construction, its parameters as exact strings, and versions. In
an ``.npz`` the text is an array of that name, of the bytes of its UTF-8; in ``.safetensors`` an entry of the header.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from numerics.dense_network import ACTIVATIONS, SCORES, DenseNetwork, DensePart

FORMAT = "icl-theory dense network 1"
"""What the metadata of a file says it is."""


def save_npz(network: DenseNetwork, file: Path) -> None:
    """Writes the network; a file that is there is replaced.

    Raises:
        OSError: if it cannot be written.
    """
    floats = network.as_floats() if _is_exact(network) else network
    with file.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{**floats.weights, "metadata": _as_bytes(metadata(network))})


def save_safetensors(network: DenseNetwork, file: Path) -> None:
    """Writes the network; a file that is there is replaced.

    Raises:
        ImportError: if the extra ``safetensors`` is missing.
        OSError: if it cannot be written.
    """
    floats = network.as_floats() if _is_exact(network) else network
    contiguous = {name: np.ascontiguousarray(matrix) for name, matrix in floats.weights.items()}
    file.write_bytes(_safetensors().save(contiguous, {"metadata": metadata(network)}))


def load(file: Path) -> DenseNetwork:
    """The network in a ``.npz`` or ``.safetensors`` file, in NumPy arrays.

    Raises:
        ImportError: for ``.safetensors``, if that extra is missing.
        OSError: if there is no such file, or it cannot be read.
        ValueError: if it is none that ``icl export`` wrote, its matrices do not fit its metadata, or hold NaN.
    """
    if file.suffix == ".npz":
        try:
            with np.load(file, allow_pickle=False) as archive:
                held = {name: archive[name] for name in archive.files}
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file} cannot be read as .npz: {error}; nothing pickled is ever loaded") from error
        text = bytes(held.pop("metadata", np.zeros(0, np.uint8)).astype(np.uint8)).decode(errors="replace")
        return network_of(held, text, str(file))
    if file.suffix == ".safetensors":
        library = _safetensors()
        content = file.read_bytes()
        try:
            held = library.load(content)
            size = int.from_bytes(content[:8], "little")
            text = json.loads(content[8 : 8 + size]).get("__metadata__", {}).get("metadata", "")
        except Exception as error:
            raise ValueError(f"{file} cannot be read as .safetensors: {error}") from error
        return network_of(held, text, str(file))
    raise ValueError(f"{file}: its name must end in .npz or .safetensors")


def metadata(network: DenseNetwork) -> str:
    """All but the matrices, as JSON."""
    held = {field.name: getattr(network, field.name) for field in fields(network) if field.name != "weights"}
    held["layers"] = [[asdict(part) for part in parts] for parts in network.layers]
    return json.dumps({"format": FORMAT, **held}, default=list)


def network_of(weights: Mapping[str, Any], text: str, called: str) -> DenseNetwork:
    """The network of these matrices and this metadata.

    Args:
        weights: the matrices by name; of any library whose arrays have ``shape``.
        text: the metadata.
        called: what the file is called, for messages.

    Raises:
        ValueError: if they do not fit each other.
    """
    try:
        held = json.loads(text)
        if held.pop("format") != FORMAT:
            raise KeyError("format")
        network = DenseNetwork(
            **{name: held[name] for name in ("sizes", "slots", "groups", "about")},
            positions={group: tuple(places) for group, places in held["positions"].items()},
            sources={name: tuple(shape) for name, shape in held["sources"].items()},
            layers=tuple(
                tuple(DensePart(**{**part, "scores": tuple(part["scores"])}) for part in parts)
                for parts in held["layers"]
            ),
            run=tuple(held["run"]),
            read=tuple(held["read"]),
            weights=dict(weights),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{called} has no metadata of the format {FORMAT!r}: it must be a file that icl export wrote"
        ) from error
    _require_fit(network, called)
    return network


def _require_fit(network: DenseNetwork, called: str) -> None:
    """That the names, the shapes and the words are those of a network, and all numbers finite."""
    for parts in network.layers:
        for part in parts:
            if not set(part.scores) <= set(SCORES) or part.activation not in ("", *ACTIVATIONS):
                raise ValueError(
                    f"{called}: {part.name} has the scores {list(part.scores)} and the activation {part.activation!r}: "
                    f"known are {', '.join(SCORES)}, and {', '.join(ACTIVATIONS)}"
                )
    required = set(network.names())
    missing, odd = sorted(required - network.weights.keys()), sorted(network.weights.keys() - required)
    odd = [name for name in odd if not name.startswith("embedding.")]
    if missing or odd:
        raise ValueError(f"{called} lacks {missing or 'nothing'} and has unexpected {odd or 'nothing'}")
    D, T = network.width, network.tokens
    for name, matrix in network.weights.items():
        shape, fixed = tuple(matrix.shape), {"constant": (D, T), "mask": (T, T), "factor": (1, 1), "A": (D, D)}
        last = name.rpartition(".")[2]
        fits = len(shape) == 2 and (last not in fixed or shape == fixed[last])
        if name.startswith("embedding."):
            fits = fits and last in network.sources and shape == (D, network.sources[last][0])
        elif last in ("W_K", "W_Q", "W_V", "W_1", "read_out"):
            fits = fits and shape[1] == D
        elif last in ("P", "W_2"):
            fits = fits and shape[0] == D
        if not fits:
            raise ValueError(f"{called}: {name} has shape {shape}, which does not fit a token of width {D}, {T} tokens")
        if not bool((matrix == matrix).all()):
            raise ValueError(f"{called}: {name} holds NaN")


def _as_bytes(text: str) -> Any:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _is_exact(network: DenseNetwork) -> bool:
    return any(np.asarray(matrix).dtype == object for matrix in network.weights.values())


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"safetensors cannot be imported ({error}): install icl-theory[safetensors], or take .npz"
        ) from error
    return safetensors.numpy
