"""A construction as a PyTorch module: the dense forward pass, whose ``state_dict`` has the names of an exported file.

Symbols: B any batch in front; H (B, D, T), one column per token. The arithmetic is that of ``numerics.dense_network``,
operation by operation, so that on the CPU the module computes the very floats whose rounding is bounded there.

PyTorch is the extra ``torch`` and is imported where it is used.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from constructions.construction import Construction
from constructions.prompt import Prompt
from numerics.dense_export import dense_network
from numerics.dense_network import DenseNetwork, DensePart
from numerics.network_files import metadata, network_of


def to_torch(
    network: Construction | DenseNetwork,
    sizes: Prompt | tuple[int, ...] | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    trainable: bool = False,
) -> Any:
    """A ``torch.nn.Module`` with ``forward(X, Y, x_query)``: the construction's prediction.

    The module takes tensors with any batch in front, X (B, d, n), Y (B, m, n) and x_query (B, d, 1), and further
    sources by their names. ``embed(X, Y, x_query)`` gives the tokens before the first layer, ``run(H)`` those after the
    last, (B, D, T). The keys of its ``state_dict`` are the names of ``DenseNetwork.weights``.

    Args:
        network: a construction with values for all of its parameters, or a dense network.
        sizes: of a construction: a prompt that has its sizes, or (n, d) or (n, d, m).
        dtype: of the tensors; by default float64. Every weight is rounded to float64, and from there to the dtype.
        device: where the tensors are; by default the CPU.
        trainable: whether the matrices, all but the masks, are parameters; otherwise all are buffers.

    Raises:
        ImportError: if PyTorch is missing.
        NotDense: if the construction is no network of dense matrices.
        TypeError: for a construction without sizes.
        ValueError: for a parameter without a value, or sizes that do not fit.
    """
    torch = _torch()
    if isinstance(network, Construction):
        if sizes is None:
            raise TypeError("a construction has no sizes of its own: pass a prompt, or (n, d) or (n, d, m)")
        if isinstance(sizes, Prompt):
            prompt = sizes.lifted()
            extras = {
                name: int(size)
                for key, block in prompt.extras
                for name, size in zip(network.extras.get(key, ()), block.shape, strict=False)
                if isinstance(name, str) and name not in ("n", "d", "m")
            }
            network = dense_network(network, int(prompt.n), int(prompt.d), int(prompt.m), **extras)
        else:
            network = dense_network(network, *sizes)
    return _module_class()(network, dtype or torch.float64, device, trainable)


def save_torch(network: DenseNetwork, file: Path) -> None:
    """Writes ``{"state_dict": ..., "metadata": ...}``, which ``torch.load`` reads with ``weights_only=True``.

    Raises:
        ImportError: if PyTorch is missing.
        OSError: if it cannot be written.
    """
    held = {"state_dict": dict(to_torch(network).state_dict()), "metadata": metadata(network)}
    with file.open("wb") as stream:
        _torch().save(held, stream)


def load_torch(file: Path, **options: Any) -> Any:
    """The module in a file that ``save_torch`` wrote; nothing but tensors and text is unpickled.

    Args:
        file: the file.
        options: dtype, device and trainable, as for ``to_torch``.

    Raises:
        ImportError: if PyTorch is missing.
        OSError: if there is no such file.
        ValueError: if it is none that ``icl export`` wrote.
    """
    torch = _torch()
    try:
        held = torch.load(file, map_location="cpu", weights_only=True)
        state, text = dict(held["state_dict"]), str(held["metadata"])
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{file} is no file that icl export --format torch wrote: {error}") from error
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    return to_torch(network_of(arrays, text, str(file)), **options)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"PyTorch cannot be imported ({error}): install icl-theory[torch]") from error
    return torch


@functools.cache
def _module_class() -> Any:
    torch = _torch()

    class DenseModule(torch.nn.Module):  # type: ignore[misc, name-defined]  # PyTorch is Any
        """A dense network; see ``to_torch``."""

        def __init__(self, network: DenseNetwork, dtype: Any, device: Any, trainable: bool) -> None:
            super().__init__()
            self.network = network.map(lambda _: None)
            for name, matrix in network.as_floats().weights.items():
                tensor = torch.tensor(np.ascontiguousarray(matrix), dtype=dtype, device=device)
                *places, last = name.split(".")
                owner = functools.reduce(_child, places, self)
                if trainable and last != "mask":
                    owner.register_parameter(last, torch.nn.Parameter(tensor))
                else:
                    owner.register_buffer(last, tensor)

        def forward(self, X: Any, Y: Any, x_query: Any, **extras: Any) -> Any:
            """The prediction, (B, rows, columns), rows and columns as for the construction."""
            return self.get("read_out") @ self.run(self.embed(X, Y, x_query, **extras))[..., list(self.network.read)]

        def embed(self, X: Any, Y: Any, x_query: Any, **extras: Any) -> Any:
            """The tokens before the first layer, (B, D, T)."""
            sources = {"X": X, "Y": Y, "x_query": x_query, **extras}
            shapes = {name: tuple(tensor.shape[-2:]) for name, tensor in sources.items()}
            if shapes != dict(self.network.sources):
                raise ValueError(f"the module was made for {dict(self.network.sources)}, but {shapes} came")
            batch = torch.broadcast_shapes(*(tensor.shape[:-2] for tensor in sources.values()))
            H = self.get("constant").expand(*batch, -1, -1).clone()
            for name in self.network.weights:
                if name.startswith("embedding."):
                    _, group, source = name.split(".")
                    H[..., list(self.network.positions[group])] += self.get(name) @ sources[source]
            return H

        def run(self, H: Any) -> Any:
            """The tokens after the last layer, (B, D, T)."""
            for number in self.network.run:
                for part in self.network.layers[number]:
                    update = self._update(f"layer_{number}.{part.name}", part, H)
                    H = H + update if part.skip else update
            return H

        def get(self, name: str) -> Any:
            """The matrix of that name."""
            return functools.reduce(getattr, name.split("."), self)

        def _update(self, place: str, part: DensePart, H: Any) -> Any:
            held = functools.reduce(getattr, place.split("."), self)
            if part.kind == "token_map":
                return held.A @ H
            if part.kind == "mlp":
                hidden = held.W_1 @ H + held.b_1
                return held.W_2 @ (torch.relu(hidden) if part.activation == "relu" else hidden * hidden) + held.b_2
            update = torch.zeros_like(H)
            for number, score in enumerate(part.scores):
                head = getattr(held, f"head_{number}")
                inner = (head.W_K @ H).mT @ (head.W_Q @ H)
                weights = head.mask * _SCORED[score](torch, inner, head.mask)
                update = update + head.factor * (head.P @ ((head.W_V @ H) @ weights))
            return update

        def extra_repr(self) -> str:
            held = self.network
            return f"sizes={dict(held.sizes)}, D={held.width}, T={held.tokens}, layers={len(held.run)}"

    return DenseModule


def _child(module: Any, name: str) -> Any:
    """The submodule of that name, made if it is not there."""
    if name not in dict(module.named_children()):
        module.add_module(name, _torch().nn.Module())
    return getattr(module, name)


def _softmax(torch: Any, inner: Any, mask: Any) -> Any:
    """The softmax over the allowed keys; a query that has none sees all of them, and is masked afterwards."""
    allowed = (mask > 0) | ~(mask > 0).any(dim=-2, keepdim=True)
    bounded = inner.masked_fill(~allowed, -torch.inf)
    raised = torch.exp(bounded - bounded.amax(dim=-2, keepdim=True))
    return raised / raised.sum(dim=-2, keepdim=True)


_SCORED = {
    "linear": lambda torch, inner, _: inner,
    "relu": lambda torch, inner, _: torch.relu(inner),
    "exp": lambda torch, inner, _: torch.exp(inner),
    "softmax": _softmax,
}
"""What is done with the inner products of keys and queries, by the score's name."""
