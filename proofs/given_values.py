"""Values for the parameters of a construction, as text: ``eta=1/3``, ``W_0=[[1, 0]]``, per layer ``eta=1/2,1/3``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from fractions import Fraction
from typing import Any

from constructions.construction import Construction
from constructions.parameters import Parameter, Repeated, Unspecified, parameters
from proofs.arguments import BadInput, unknown


def with_values(
    construction: Construction, given: Mapping[str, str], sizes: Mapping[str, int], layers: int | None = None
) -> Construction:
    """The construction with these values for its parameters, and so many layers where it leaves their number free.

    Args:
        construction: parameters that are ``Unspecified`` need a value, or have None, zero, as default.
        given: by the parameter's name or by its symbol: a fraction or a decimal, of a square matrix that multiple of
            the identity; or a matrix in brackets; of a parameter with one per layer also several, separated by commas
            outside of brackets, the first layer's first.
        sizes: n, d, m, and so on, by name.
        layers: by default as many as values are given, or 1.

    Raises:
        BadInput: for a name that is not there, a value that cannot be read or lacks, or numbers of layers that differ.
    """
    declared = parameters(construction)
    by_name = {symbol: name for name, p in declared.items() for symbol in (p.symbol, name)}
    for name in given:
        if name not in by_name:
            known = ", ".join(f"{name} ({p.symbol})" for name, p in declared.items()) or "none"
            raise BadInput(unknown("parameter", name, list(by_name), otherwise=f"there are: {known}"))
    texts = {by_name[name]: text for name, text in given.items()}
    values: dict[str, Any] = {}
    depth = (
        layers if layers is not None else max([1, *(len(_apart(t)) for n, t in texts.items() if declared[n].per_layer)])
    )
    if depth < 0:
        raise BadInput(f"--layers {depth}: it must be at least 0")
    for name, p in declared.items():
        held = getattr(construction, name)
        inner = held.value if isinstance(held, Repeated) else held
        if name in texts:
            values[name] = _value(name, p, texts[name], sizes, depth, isinstance(held, Repeated))
        elif p.counts_layers and isinstance(inner, Unspecified):
            values[name] = depth
        elif isinstance(inner, Unspecified):
            default = next(field.default for field in fields(construction) if field.name == name)  # type: ignore[arg-type]
            if default is MISSING:
                example = "1/3" if not p.is_matrix or p.rows == p.columns else "[[1, 0]]"
                raise BadInput(f"the parameter {name} has no value: pass --parameter {p.symbol}={example}")
            values[name] = default
        elif isinstance(held, Repeated) and isinstance(held.depth, Unspecified):
            values[name] = Repeated(inner, depth)
    return replace(construction, **values)  # type: ignore[type-var]  # a construction is a dataclass


def _value(name: str, p: Parameter, text: str, sizes: Mapping[str, int], depth: int, is_looped: bool) -> Any:
    if p.counts_layers:
        if not re.fullmatch(r"\d+", text.strip()):
            raise BadInput(f"--parameter {name}={text}: a number of layers is required")
        return int(text)
    parts = _apart(text)
    if not p.per_layer and len(parts) > 1:
        raise BadInput(f"--parameter {name}={text}: one value is required, but {len(parts)} came")
    values = [_matrix(name, p, part, sizes) if p.is_matrix else _number(name, part) for part in parts]
    if not p.per_layer:
        return values[0]
    if is_looped:
        if len(values) > 1:
            raise BadInput(f"--parameter {name}={text}: it is looped, so one value for all layers is required")
        return Repeated(values[0], depth)
    if len(values) == 1:
        values *= depth
    if len(values) != depth:
        raise BadInput(f"--parameter {name}={text}: one value, or {depth}, one per layer, is required")
    return tuple(values)


def _apart(text: str) -> list[str]:
    """The values between commas that stand in no bracket."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _number(name: str, text: str) -> Fraction:
    try:
        return Fraction(text.strip().replace(" ", ""))
    except (ValueError, ZeroDivisionError) as error:
        raise BadInput(
            f"--parameter {name}: {text!r} is no number; pass a decimal or a fraction such as 1/3"
        ) from error


def _matrix(name: str, p: Parameter, text: str, sizes: Mapping[str, int]) -> list[list[Fraction]]:
    bare = re.sub(r"\s+", "", text)
    if re.fullmatch(r"\[\[.*\]\]", bare):
        rows = [[_number(name, entry) for entry in row.split(",")] for row in bare[2:-2].split("],[")]
        if len({len(row) for row in rows}) > 1:
            raise BadInput(f"--parameter {name}={text}: the rows of a matrix must be equally long")
        return rows
    rows_of, columns = p.rows, p.columns
    known = [size if isinstance(size, int) else sizes.get(str(size)) for size in (rows_of, columns)]
    number = _number(name, bare)
    if known[0] is None or known[0] != known[1]:
        raise BadInput(
            f"--parameter {name}={text}: it is a matrix, {rows_of} by {columns}; only a square one can be given as a "
            "multiple of the identity, any other as [[1, 0], [0, 1]]"
        )
    return [[number if i == j else Fraction(0) for j in range(known[0])] for i in range(known[0])]
