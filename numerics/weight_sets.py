"""Weight sets: the matrices of a construction by name, taken out to be trained and put back.

A matrix of layer l is called ``W_K_xx[l]``; one that all layers share, ``Repeated``, has one name, ``W_K_xx``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from constructions.parameters import Repeated, parameters

Network = TypeVar("Network")

Matrices = Mapping[str, Any]
"""Matrices by name: arrays, or blocks."""


def matrices_of(network: Any) -> dict[str, Any]:
    """The matrices among the declared parameters of a construction, by name; one that is None (zero) is left out."""
    return dict(_named(network))


def _named(network: Any) -> Iterator[tuple[str, Any]]:
    for name, declared in parameters(network).items():
        held = getattr(network, name)
        if not declared.is_matrix or held is None:
            continue
        if isinstance(held, Repeated):
            yield name, held.value
        elif declared.per_layer:
            yield from ((f"{name}[{l}]", value) for l, value in enumerate(held) if value is not None)
        else:
            yield name, held


def with_matrices(network: Network, matrices: Matrices) -> Network:
    """The construction with other matrices of the same names.

    Raises:
        ValueError: if the names are not those of the construction's matrices.
    """
    if (expected := set(matrices_of(network))) != set(matrices):
        raise ValueError(
            f"the matrices of this {type(network).__name__} are {sorted(expected)}, but {sorted(matrices)} came"
        )
    values: dict[str, Any] = {}
    for name, declared in parameters(network).items():
        held = getattr(network, name)
        if not declared.is_matrix or held is None:
            continue
        if isinstance(held, Repeated):
            values[name] = Repeated(matrices[name], held.depth)
        elif declared.per_layer:
            values[name] = tuple(None if value is None else matrices[f"{name}[{l}]"] for l, value in enumerate(held))
        else:
            values[name] = matrices[name]
    return replace(network, **values)  # type: ignore[type-var]


def mapped(function: Callable[..., Any], *matrices: Matrices) -> dict[str, Any]:
    """``function`` of the matrices of the same name, name by name."""
    first, *others = matrices
    return {name: function(value, *(other[name] for other in others)) for name, value in first.items()}
