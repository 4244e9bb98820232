"""Unknown numbers: sizes, layer indices and scalars of a proof. Arithmetic goes on; a comparison is refused.

A layer that asks ``l == 0``, ``n > 1`` or ``alpha == 1`` has two forms, and a proof for symbols would see only one of
them. So would one that looks a symbol up in a dictionary: an unknown number has no hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, final

import sympy

ONE_IF_ZERO = sympy.Function("one_if_zero")
"""1 where its argument, an integer expression, is zero; 0 elsewhere."""

ONE_IF_NONNEGATIVE = sympy.Function("one_if_nonnegative")
"""1 where its argument, an integer expression, is at least zero; 0 elsewhere."""


_REFUSED: ContextVar[list[str] | None] = ContextVar("refused", default=None)
"""The comparisons that were refused in a proof."""


@contextmanager
def no_comparison_swallowed() -> Iterator[None]:
    """What runs inside may compare no unknown number, not even if it catches the refusal.

    Raises:
        TypeError: the first refusal, if it was caught.
    """
    token = _REFUSED.set(refused := list[str]())
    try:
        yield
    finally:
        _REFUSED.reset(token)
    if refused:
        raise TypeError(f"{refused[0]}; the refusal was caught, and may not be")


@contextmanager
def comparisons_answered() -> Iterator[None]:
    """What runs inside may compare unknown numbers, if whoever calls it deals with the refusal."""
    token = _REFUSED.set(None)
    try:
        yield
    finally:
        _REFUSED.reset(token)


@final
class Unknown:
    """A number of which only an expression in symbols is known."""

    __slots__ = ("symbol",)
    __hash__ = None  # type: ignore[assignment]  # looking it up would be a comparison

    def __init__(self, symbol: Any) -> None:
        self.symbol = symbol

    def _sympy_(self) -> Any:
        return self.symbol

    def __str__(self) -> str:
        return str(self.symbol)

    __repr__ = __str__

    @property
    def is_zero(self) -> bool | None:
        """True only if it is zero whatever the symbols stand for, as l - l is."""
        return True if self.symbol.is_zero else None

    def could_extract_minus_sign(self) -> bool:
        """Whether it is written with a minus in front, for printing."""
        return bool(self.symbol.could_extract_minus_sign())

    def one_if_equal(self, other: Any) -> Unknown:
        """1 where it equals the other number, 0 elsewhere: a comparison that keeps both answers."""
        return _made(self, other, lambda a, b: ONE_IF_ZERO(sympy.expand(a - b)))

    def at_most(self, other: Any) -> Unknown:
        """1 where it is at most the other number, 0 elsewhere; both are integers."""
        return _made(self, other, lambda a, b: ONE_IF_NONNEGATIVE(sympy.expand(b - a)))

    def at_least(self, other: Any) -> Unknown:
        """1 where it is at least the other number, 0 elsewhere; both are integers."""
        return _made(self, other, lambda a, b: ONE_IF_NONNEGATIVE(sympy.expand(a - b)))

    def __neg__(self) -> Unknown:
        return Unknown(-self.symbol)

    def __add__(self, other: Any) -> Unknown:
        return _made(self, other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Unknown:
        return _made(other, self, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Unknown:
        return _made(self, other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Unknown:
        return _made(other, self, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Unknown:
        return _made(self, other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Unknown:
        return _made(other, self, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> Unknown:
        return _made(self, _nonzero(other), lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Unknown:
        return _made(other, _nonzero(self), lambda a, b: a / b)

    def __pow__(self, other: Any) -> Unknown:
        base = self if sympy.sympify(other).is_nonnegative else _nonzero(self)
        return _made(base, other, lambda a, b: a**b)

    def __rpow__(self, other: Any) -> Unknown:
        return _made(other, self, lambda a, b: a**b)

    def __eq__(self, other: object) -> bool:
        try:
            difference = sympy.expand(self.symbol - sympy.sympify(other))
        except (sympy.SympifyError, TypeError):
            return NotImplemented
        if difference.is_zero:
            return True
        if difference.is_Number:
            return False
        self._refused(other)

    def _refused(self, other: Any) -> NoReturn:
        message = (
            f"a proof for all sizes, layers and parameters cannot compare {self} with {other}: layer, step and state "
            "must have one form for all of them; make a layer that is different a stage of its own"
        )
        if (refused := _REFUSED.get()) is not None:
            refused.append(message)
        raise TypeError(message)

    __lt__ = __le__ = __gt__ = __ge__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = _refused

    def __bool__(self) -> bool:
        self._refused("0")

    def __index__(self) -> int:
        raise TypeError(f"{self} is a symbol: it has no value to index or count with")


def _made(left: Any, right: Any, operation: Callable[[Any, Any], Any]) -> Unknown:
    return Unknown(operation(sympy.sympify(left), sympy.sympify(right)))


def _nonzero(divisor: Any) -> Any:
    if sympy.sympify(divisor).is_nonzero is not True:
        raise ZeroDivisionError(
            f"{divisor} may be 0, so a proof cannot divide by it: declare it with scalar(..., nonzero=True)"
        )
    return divisor
