"""The prompt: examples in context and a query.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1). Tokens are columns.
"""

from dataclasses import dataclass
from typing import Any

from constructions.block import Block, Entry, Size, kind_of
from constructions.scalars import Scalar


@dataclass(frozen=True)
class Prompt:
    """Examples (x_i, y_i) in context, and the query whose target is asked for.

    Args:
        X: inputs, (d, n): one column per example.
        Y: targets, (m, n).
        x_query: the query's input, (d, 1).
        extras: further data that a theorem speaks of (a teacher, an eigenvector of X X^T), by name.
    """

    X: Any
    Y: Any
    x_query: Any
    extras: tuple[tuple[str, Any], ...] = ()

    def lifted(self, kind: type[Block] | None = None) -> "Prompt":
        """The prompt with every entry lifted into one kind of number, its shapes checked.

        Args:
            kind: the kind of number; by default the one that holds ``X``.

        Raises:
            TypeError: if the entries are of different kinds, or no kind holds them.
            ValueError: if the shapes do not fit, the context is empty, or an entry is not finite.
        """
        kind = kind if kind is not None else kind_of(self.X)
        lifted = Prompt(
            lift(self.X, kind, "X"),
            lift(self.Y, kind, "Y"),
            lift(self.x_query, kind, "x_query"),
            tuple((name, lift(entry, kind, name)) for name, entry in self.extras),
        )
        lifted._check_shapes()
        for name, block in (("Y", lifted.Y), ("x_query", lifted.x_query), *lifted.extras):
            require_same_format(block, name, lifted)
        return lifted

    @property
    def n(self) -> Size:
        """Number of context tokens."""
        return self.X.known_size(self.X.columns)

    @property
    def d(self) -> Size:
        """Number of features."""
        return self.X.known_size(self.X.rows)

    @property
    def m(self) -> Size:
        """Number of targets."""
        return self.Y.known_size(self.Y.rows)

    def extra(self, name: str) -> Any:
        """A further datum by its name; KeyError if the prompt does not carry it."""
        return dict(self.extras)[name]

    def map(self, function: Any) -> "Prompt":
        """The prompt with ``function`` applied to every entry."""
        return Prompt(
            function(self.X),
            function(self.Y),
            function(self.x_query),
            tuple((name, function(entry)) for name, entry in self.extras),
        )

    def _check_shapes(self) -> None:
        (d, n), m = self.X.shape, self.Y.rows
        if n == 0:
            raise ValueError("the context is empty: X has 0 columns; at least one example (one column) is required")
        if d == 0 or m == 0:
            raise ValueError(f"X has {d} rows and Y has {m}: at least one feature and one target are required")
        if self.Y.columns != n:
            raise ValueError(
                f"X has {n} columns and Y has {self.Y.columns}: there must be one target column per example "
                "(tokens are columns; transpose an array that has one row per example)"
            )
        if self.x_query.shape != (d, 1):
            raise ValueError(f"x_query must have shape ({d}, 1) to fit X, but {self.x_query.shape} came")


def require_same_format(block: Block, name: str, prompt: Prompt) -> None:
    """Refuses a block in another library, dtype or device than the prompt's X.

    Raises:
        TypeError: if they differ.
    """
    if block.number_format != prompt.X.number_format:
        raise TypeError(
            f"{name} is {block.number_format}, but X is {prompt.X.number_format}: all inputs and weights must be of "
            "one library, dtype and device; convert them first"
        )


def lift(entry: Entry | Scalar, kind: type[Block], name: str) -> Block:
    """The entry as a block of the kind, or an error that names it."""
    if isinstance(entry, Block):
        if not isinstance(entry, kind):
            raise TypeError(f"{name} is a {type(entry).__name__} where {kind.__name__} is required: kinds do not mix")
        return entry
    try:
        return kind.lift(entry)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error
