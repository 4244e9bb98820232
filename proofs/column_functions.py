"""Whether the functions of a network act on columns: a kernel on pairs of tokens, a feature map on each token.

A function that holds the data, or mixes tokens, would be the whole algorithm in disguise; a proof refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from constructions.block import Block, compare
from constructions.comparison import Verdict
from constructions.decoding import layer_in
from constructions.functions import FeatureMap, Kernel
from constructions.layer import Attention, TokenFunction
from numerics.balls import BallBlock
from proofs.letters import first_of_the_data
from proofs.symbols import SymbolBlock, size_of

_WIDTHS = ("d", "m", "n", 1)
_NUMBERS = ((3, 1), (-2, 4), (1, -1), (2, 5))
"""Rows of two columns, of which a function takes as many as it wants."""


def functions_of(part_of_network: Any) -> Iterator[Kernel | FeatureMap]:
    """The given kernels and feature maps of a layer; arbitrary ones are letters, and hold nothing."""
    layer = layer_in(part_of_network)
    for part in layer.sublayers if layer is not None else ():
        scores = [head.score for head in part.heads] if isinstance(part, Attention) else []
        maps = [part.function] if isinstance(part, TokenFunction) else []
        for each in (*scores, *maps):
            if isinstance(each, (Kernel, FeatureMap)) and not each.is_arbitrary:
                yield each


def require_columnwise(function: Kernel | FeatureMap, data: Iterable[str]) -> None:
    """Refuses a function that holds letters of the data, or of an iterate, or that mixes columns.

    Args:
        function: a given one.
        data: the names of the data.

    Raises:
        ValueError: if it does.
    """
    known = set(data)
    for width in _WIDTHS:
        arguments = [SymbolBlock.letter(f"argument_{i}", size_of(width), size_of(f"columns_{i}")) for i in "ab"]
        value = _value(function, arguments)
        name = first_of_the_data(value.normal_form, known) if isinstance(value, SymbolBlock) else None
        if name is not None:
            raise ValueError(
                f"the function {function.name!r} depends on the data: it contains {name}; what it holds may be built "
                "from the sizes and the parameters only"
            )
    for rows in range(1, len(_NUMBERS) + 1):
        both = BallBlock.lift([list(row) for row in _NUMBERS[:rows]])
        columns = [BallBlock.lift([[row[i]] for row in _NUMBERS[:rows]]) for i in range(2)]
        whole = _value(function, [both, both])
        if not isinstance(whole, BallBlock):
            continue
        parts = [_value(function, [column, both]) for column in columns]
        joined = parts[0].beside(parts[1]) if isinstance(function, FeatureMap) else parts[0].above(parts[1])
        if not getattr(function, "over_keys", False) and compare(whole, joined).verdict is Verdict.DIFFERENT:
            raise ValueError(
                f"the function {function.name!r} mixes columns: a kernel must be one of a key and a query, a feature "
                "map one of a token (a kernel that is normalised over the keys says so: over_keys=True)"
            )


def _value(function: Kernel | FeatureMap, arguments: list[Any]) -> Any:
    """What the function makes of blocks; None where it is meant for other sizes or holds blocks of another kind."""
    called: Any = function.function
    try:
        value: Block = called(*(arguments if isinstance(function, Kernel) else arguments[:1]))
    except (ValueError, TypeError, ZeroDivisionError):
        return None
    return value
