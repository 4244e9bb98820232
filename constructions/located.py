"""Where in a network an error arose: the layer, the sublayer and the head, put in front of its message."""

from __future__ import annotations

from types import TracebackType
from typing import final


@final
class located:
    """Puts where it arose in front of the message of a ``ValueError`` or ``TypeError`` that passes.

    >>> with located("layer 1"), located("head 2"):
    ...     raise ValueError("shapes differ")
    Traceback (most recent call last):
    ValueError: layer 1, head 2: shapes differ
    """

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, cls: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(error, (ValueError, TypeError)) or len(error.args) != 1:
            return
        # Not a new error: the traceback of the old one shows where the user's code is.
        inner = getattr(error, "where", "")
        where = f"{self._where}, {inner}" if inner else self._where
        error.args = (f"{where}: {str(error.args[0]).removeprefix(f'{inner}: ')}",)
        error.where = where  # type: ignore[union-attr]  # an exception takes any attribute
