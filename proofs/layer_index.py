"""The symbolic layer index: arithmetic gives SymPy expressions, and a comparison is refused.

A layer that asks ``l == 0`` has two forms, and a proof for a symbol would see only one of them.
"""

from __future__ import annotations

from typing import Any, NoReturn, final


@final
class LayerIndex:
    """A layer index, or a number of layers, of which only the name is known."""

    is_zero: None = None

    def __init__(self, symbol: Any) -> None:
        self.symbol = symbol

    def _sympy_(self) -> Any:
        return self.symbol

    def __str__(self) -> str:
        return str(self.symbol)

    __repr__ = __str__

    def __hash__(self) -> int:
        return hash(self.symbol)

    def __neg__(self) -> Any:
        return -self.symbol

    def __add__(self, other: Any) -> Any:
        return self.symbol + other

    def __radd__(self, other: Any) -> Any:
        return other + self.symbol

    def __sub__(self, other: Any) -> Any:
        return self.symbol - other

    def __rsub__(self, other: Any) -> Any:
        return other - self.symbol

    def __mul__(self, other: Any) -> Any:
        return self.symbol * other

    def __rmul__(self, other: Any) -> Any:
        return other * self.symbol

    def __truediv__(self, other: Any) -> Any:
        return self.symbol / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.symbol

    def __pow__(self, other: Any) -> Any:
        return self.symbol**other

    def __rpow__(self, other: Any) -> Any:
        return other**self.symbol

    def _refused(self, other: Any) -> NoReturn:
        raise TypeError(
            f"a proof for every layer cannot compare {self} with {other}: a loop's layer, step and state must have one "
            "form for every index; make a layer that is different a stage of its own"
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LayerIndex):
            return bool(self.symbol == other.symbol)
        self._refused(other)

    __lt__ = __le__ = __gt__ = __ge__ = __mod__ = __floordiv__ = _refused

    def __bool__(self) -> bool:
        self._refused("0")

    def __index__(self) -> int:
        raise TypeError(f"the layer index {self} is a symbol: it has no value to index with")
