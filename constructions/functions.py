"""Functions that a network applies as a whole: kernels of two tokens, and feature maps of one.

Either may be arbitrary: then it is a letter of a proof, which holds for every such function, and does not run on
numbers. With a function it is that one in every kind of number, symbols included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructions.block import Block


@dataclass(frozen=True)
class Kernel:
    """A kernel kappa(key, query), applied to the columns of two blocks.

    Args:
        name: how it is printed; two kernels of one proof need two names.
        function: the Gram block of keys (r, n) and queries (r, q), of shape (n, q), written with block operations;
            None for an arbitrary kernel, which only the symbolic kind can hold.
        symmetric: whether kappa(a, b) = kappa(b, a).
        over_keys: whether it is normalised over the keys of each query, as a softmax is; every other kernel is a
            function of one key and one query, and a proof refuses one that is not.
    """

    name: str
    function: Callable[[Block, Block], Block] | None = None
    symmetric: bool = True
    over_keys: bool = False

    @property
    def is_arbitrary(self) -> bool:
        return self.function is None

    def __str__(self) -> str:
        return f"any {'symmetric ' if self.symmetric else ''}kernel {self.name}" if self.is_arbitrary else self.name


@dataclass(frozen=True)
class FeatureMap:
    """A map m of tokens, applied to every column of a block by itself.

    Args:
        name: how it is printed; two maps of one proof need two names.
        function: from a block (d, n) to the block of features (p, n), column by column, written with block operations;
            None for an arbitrary map, which only the symbolic kind can hold.
        rows: what the number of features p of an arbitrary map is called; "d" for one that keeps the width.
    """

    name: str
    function: Callable[[Block], Block] | None = None
    rows: str | int = "p"

    @property
    def is_arbitrary(self) -> bool:
        return self.function is None

    def __str__(self) -> str:
        return f"any map {self.name} of a token to {self.rows} features" if self.is_arbitrary else self.name
