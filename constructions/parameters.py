"""Parameters: what a construction leaves free, declared as fields of its dataclass.

A declared parameter can be given a value by the user, replaced by symbols of unspecified size for a proof, or drawn at
random for an exact instance; nobody who does so has to know the construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from types import SimpleNamespace
from typing import Any, TypeVar, final

from constructions.block import Block, Size, Zero
from constructions.prompt import Prompt, lift, require_same_format
from constructions.scalars import Scalar, exact

Instance = TypeVar("Instance")


_PROMPT_SIZES = ("n", "d", "m")


@dataclass(frozen=True)
class Parameter:
    """What is declared of one parameter.

    Args:
        symbol: its name in formulas.
        rows, columns: for a matrix, its sizes: names of the prompt's sizes ("n", "d", "m"), ints, or names of widths
            that the parameters themselves decide, such as "h" for the hidden width of an MLP; None for a scalar.
        per_layer: whether every layer has its own.
        has_inverse: whether the theorem assumes so: of a matrix that it is invertible, of a scalar that it is not zero.
        depth_symbol: the number of layers of a per-layer parameter; all parameters that share it are equally long.
        counts_layers: whether it is the number of layers itself, for a network whose weights do not fix it.
        positive: whether it is a positive number where it is used (a step size); an identity holds without that, but a
            counterexample should not need to do without.
    """

    symbol: str
    rows: str | int | None = None
    columns: str | int | None = None
    per_layer: bool = False
    has_inverse: bool = False
    positive: bool = False
    counts_layers: bool = False
    depth_symbol: str = "k"

    def shape(self, sizes: Any) -> tuple[Size, Size]:
        """The shape of the matrix, from what has the sizes by their names: a lifted prompt, if there are no others."""
        if self.rows is None or self.columns is None:
            raise TypeError(f"the parameter {self.symbol} is a scalar and has no shape")
        rows, columns = (size if isinstance(size, int) else getattr(sizes, size) for size in (self.rows, self.columns))
        return rows, columns

    @property
    def widths(self) -> tuple[str, ...]:
        """The names of its sizes that are none of the prompt's."""
        return tuple(size for size in (self.rows, self.columns) if isinstance(size, str) and size not in _PROMPT_SIZES)

    @property
    def is_matrix(self) -> bool:
        return self.rows is not None


def scalar(
    symbol: str, *, per_layer: bool = False, nonzero: bool = False, positive: bool = False, **options: Any
) -> Any:
    """A dataclass field for an exact scalar, or (``per_layer``) for a sequence of them, one per layer."""
    declared = Parameter(symbol, per_layer=per_layer, has_inverse=nonzero, positive=positive)
    return field(metadata={"parameter": declared}, **options)


def layer_count(symbol: str = "k", **options: Any) -> Any:
    """A dataclass field for a number of layers, >= 0, that no other parameter fixes; each needs its own symbol."""
    return field(metadata={"parameter": Parameter(symbol, counts_layers=True)}, **options)


def matrix(
    symbol: str,
    rows: str | int,
    columns: str | int,
    *,
    per_layer: bool = False,
    invertible: bool = False,
    **options: Any,
) -> Any:
    """A dataclass field for a matrix, or (``per_layer``) for a sequence of them; None stands for zero."""
    return field(metadata={"parameter": Parameter(symbol, rows, columns, per_layer, invertible)}, **options)


@final
@dataclass(frozen=True)
class Unspecified:
    """An entry of which only the name and the sizes' names are known; the symbolic kind lifts it to a letter."""

    symbol: str
    rows: str | int | None = None
    columns: str | int | None = None
    index: Any = None
    has_inverse: bool = False
    counts_layers: bool = False


class PerLayer(Sequence[Any]):
    """A sequence with one value per layer; its length may be symbolic, its index too."""

    @property
    def depth(self) -> Size:
        """The number of layers; unlike ``len`` it may be symbolic."""
        return len(self)


@final
class Repeated(PerLayer):
    """The same value in every layer: one weight set, looped ``depth`` times."""

    def __init__(self, value: Any, depth: Size) -> None:
        self.value = value
        self._depth = depth

    @property
    def depth(self) -> Size:
        return self._depth

    def __len__(self) -> int:
        return int(self._depth)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and isinstance(self._depth, int) and not -self._depth <= index < self._depth:
            raise IndexError(f"layer {index} of {self._depth}")
        return self.value

    def __repr__(self) -> str:
        return f"Repeated({self.value!r}, {self._depth!r})"


@final
class Family(PerLayer):
    """A letter for every layer: ``A[l]`` for any index l, symbolic ones included."""

    def __init__(self, kind: type[Block], declared: Parameter) -> None:
        self._kind = kind
        self._declared = declared

    @property
    def depth(self) -> Size:
        return self._kind.lift_scalar(Unspecified(self._declared.depth_symbol, counts_layers=True))

    def __len__(self) -> int:
        raise TypeError(f"the family {self._declared.symbol} has a symbolic number of layers; use .depth")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"the family {self._declared.symbol} has a symbolic number of layers and cannot be iterated")

    def __getitem__(self, index: Any) -> Any:
        p = self._declared
        letter = Unspecified(p.symbol, p.rows, p.columns, index, p.has_inverse)
        return self._kind.lift(letter) if p.is_matrix else self._kind.lift_scalar(letter)


def depth(sequence: Sequence[Any]) -> Size:
    """The number of layers of a per-layer parameter, symbolic for a family of letters."""
    return sequence.depth if isinstance(sequence, PerLayer) else len(sequence)


def declared_depth(construction: Any) -> Size:
    """The number of layers that the declared parameters of a construction have in common.

    Raises:
        TypeError: if no parameter is declared per layer or counts layers, or they differ in what they count.
    """
    declared = {
        p.symbol if p.counts_layers else p.depth_symbol: (name, p)
        for name, p in parameters(construction).items()
        if (p.counts_layers or p.per_layer) and getattr(construction, name) is not None
    }
    if len(declared) != 1:
        found = f"its parameters count {', '.join(declared)}" if declared else "it has no parameter per layer"
        raise TypeError(f"how many layers does {type(construction).__name__} have? {found}; say so: depth = 2, for one")
    ((name, p),) = declared.values()
    held = getattr(construction, name)
    return held if p.counts_layers else depth(held)


def parameters(construction: Any) -> dict[str, Parameter]:
    """The declared parameters of a construction (a dataclass instance or class), by field name.

    A size that the construction fixes (``dimension``, ``targets``) is an int.

    Raises:
        TypeError: if the class declares fields, but is not decorated as a dataclass.
    """
    cls = construction if isinstance(construction, type) else type(construction)
    if forgotten := [name for each in cls.__mro__ for name, held in vars(each).items() if isinstance(held, Field)]:
        raise TypeError(
            f"{cls.__name__} declares {', '.join(forgotten)}, but is no dataclass: decorate it with "
            "@dataclass(frozen=True)"
        )
    declared = {f.name: f.metadata["parameter"] for f in fields(construction) if "parameter" in f.metadata}
    given = {"d": getattr(construction, "dimension", "d"), "m": getattr(construction, "targets", "m")}
    known = {name: size for name, size in given.items() if isinstance(size, int)}
    if not known:
        return declared
    return {
        name: replace(p, rows=known.get(p.rows, p.rows), columns=known.get(p.columns, p.columns))
        for name, p in declared.items()
    }


def widths(construction: Any) -> tuple[str, ...]:
    """The names of the sizes that the parameters that are given decide themselves, each once."""
    declared = parameters(construction).items()
    return tuple(dict.fromkeys(w for name, p in declared if getattr(construction, name) is not None for w in p.widths))


def map_parameters(construction: Instance, function: Callable[[Any, Parameter], Any]) -> Instance:
    """The construction with ``function(value, declaration)`` in place of every value that is not None.

    A looped parameter stays looped; a per-layer one becomes a tuple, its values mapped one by one.
    """

    def one(value: Any, declared: Parameter) -> Any:
        return None if value is None else function(value, declared)

    def mapped(held: Any, declared: Parameter) -> Any:
        if isinstance(held, Repeated):
            return Repeated(one(held.value, declared), held.depth)
        if declared.per_layer and held is not None:
            return tuple(one(value, declared) for value in held)
        return one(held, declared)

    values = {name: mapped(getattr(construction, name), p) for name, p in parameters(construction).items()}
    return replace(construction, **values)  # type: ignore[type-var]


def generic(construction: Instance, layers: int | None = None) -> Instance:
    """The construction with every parameter left free, to be lifted into symbols.

    A looped parameter stays looped; a parameter that is None (zero) stays so.

    Args:
        construction: a construction.
        layers: the number of layers; by default it is left free too. Where there are several, the second is one more.
    """
    values: dict[str, Any] = {}
    depths: dict[str, int] = {}
    for name, p in parameters(construction).items():
        held = getattr(construction, name)
        free = Unspecified(p.symbol, p.rows, p.columns, has_inverse=p.has_inverse, counts_layers=p.counts_layers)
        if held is None:
            continue
        if layers is not None and (p.per_layer or p.counts_layers):
            many = depths.setdefault(p.symbol if p.counts_layers else p.depth_symbol, layers + len(depths))
            each = tuple(replace(free, index=l) for l in range(many))
            values[name] = many if p.counts_layers else Repeated(free, many) if isinstance(held, Repeated) else each
            continue
        values[name] = (
            (Repeated(free, Unspecified(p.depth_symbol, counts_layers=True)) if isinstance(held, Repeated) else free)
            if p.per_layer
            else free
        )
    return replace(construction, **values)  # type: ignore[type-var]


def generic_prompt(construction: Any) -> Prompt:
    """The prompt of which only the names and the sizes' names are known."""
    extras = ((name, Unspecified(name, *shape)) for name, shape in construction.extras.items())
    d, m = construction.dimension, construction.targets
    return Prompt(
        Unspecified("X", d, "n"),
        Unspecified("Y", m, "n"),
        Unspecified("x_query", d, 1),
        tuple(extras),
    )


def lifted(construction: Instance, kind: type[Block], prompt: Prompt) -> Instance:
    """The construction with its parameters in one kind of number, shapes checked against a lifted prompt.

    Scalars become exact, matrices blocks, and a matrix that is None becomes ``Zero``.

    Raises:
        TypeError: if a parameter is of another kind than the prompt.
        ValueError: if a shape does not fit the prompt, or a per-layer parameter has another length than the others.
    """
    targets = getattr(construction, "targets", "m")
    if isinstance(targets, int) and prompt.m != targets:
        raise ValueError(
            f"{type(construction).__name__} is meant for {targets} target, but Y has {prompt.m} rows: run them one "
            "by one"
        )
    dimension = getattr(construction, "dimension", "d")
    if isinstance(dimension, int) and prompt.d != dimension:
        raise ValueError(
            f"{type(construction).__name__} is meant for {dimension} features, but X has {prompt.d} rows: pass a "
            "prompt that has as many"
        )
    sizes = _sizes(construction, kind, prompt)
    values = {
        name: _lifted_parameter(getattr(construction, name), name, p, kind, prompt, sizes)
        for name, p in parameters(construction).items()
    }
    depths: dict[str, dict[str, int]] = {}
    for name, p in parameters(construction).items():
        if p.per_layer and isinstance(values[name], tuple):
            depths.setdefault(p.depth_symbol, {})[name] = len(values[name])
    for held in depths.values():
        if len(set(held.values())) > 1:
            raise ValueError(f"the per-layer parameters have different numbers of layers: {held}; they must agree")
    return replace(construction, **values)  # type: ignore[type-var]


def _sizes(construction: Any, kind: type[Block], prompt: Prompt) -> Any:
    """The prompt's sizes, and the widths as the first parameter with each of them has it."""
    found: dict[str, Size] = {}
    for name, p in parameters(construction).items():
        for value in _first_value(getattr(construction, name), p) if p.widths else ():
            block = value if isinstance(value, Block) else lift(value, kind, name)
            for size, held in zip((p.rows, p.columns), block.shape, strict=True):
                if size in p.widths:
                    found.setdefault(str(size), block.known_size(held))
    if not any(p.widths for p in parameters(construction).values()):
        return prompt
    missing = {w for p in parameters(construction).values() for w in p.widths} - found.keys()
    if missing:
        raise ValueError(f"no parameter says how large {', '.join(sorted(missing))} is: give one that has it")
    return SimpleNamespace(n=prompt.n, d=prompt.d, m=prompt.m, **found)


def _first_value(held: Any, declared: Parameter) -> Iterator[Any]:
    """The value, or that of the first layer that has one; nothing if all are None."""
    if isinstance(held, Repeated):
        held = held.value
    elif isinstance(held, Family):
        held = held[0]
    elif declared.per_layer and held is not None and not isinstance(held, Unspecified):
        held = next((value for value in held if value is not None), None)
    if held is not None:
        yield held


def _lifted_parameter(held: Any, name: str, declared: Parameter, kind: type[Block], prompt: Prompt, sizes: Any) -> Any:
    if declared.counts_layers:
        return _lifted_count(held, name, kind)
    if not declared.per_layer:
        return _lifted_value(held, name, declared, kind, prompt, sizes)
    if isinstance(held, Unspecified):
        return Family(kind, declared)
    if isinstance(held, Repeated):
        many = kind.lift_scalar(held.depth) if isinstance(held.depth, Unspecified) else held.depth
        return Repeated(_lifted_value(held.value, name, declared, kind, prompt, sizes), many)
    if held is None:
        return None
    if isinstance(held, Family):
        return held
    return tuple(_lifted_value(value, f"{name}[{l}]", declared, kind, prompt, sizes) for l, value in enumerate(held))


def _lifted_count(held: Any, name: str, kind: type[Block]) -> Size:
    if isinstance(held, int) and not isinstance(held, bool):
        if held < 0:
            raise ValueError(f"{name} = {held}: the number of layers must be at least 0")
        return held
    if not isinstance(held, Unspecified) and not hasattr(held, "free_symbols"):
        raise TypeError(f"{name} must be an int, but {type(held).__name__} came")
    return kind.lift_scalar(held)


def _lifted_value(
    held: Any, name: str, declared: Parameter, kind: type[Block], prompt: Prompt, sizes: Any
) -> Block | Scalar:
    if not declared.is_matrix:
        value = kind.lift_scalar(held)
        if not isinstance(value, (int, float)) and isinstance(value, (Block, str, list)):
            raise TypeError(f"{name} must be a scalar, but {type(held).__name__} came")
        return exact(value)
    shape = declared.shape(sizes)
    if held is None or isinstance(held, Zero):
        return Zero(*shape)
    block = lift(held, kind, name)
    if block.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape} for this prompt ({declared.rows} x {declared.columns}), but "
            f"{block.shape} came"
        )
    require_same_format(block, name, prompt)
    if block.batch:
        raise ValueError(f"{name} has batch dimensions {block.batch}: a weight is one matrix for the whole batch")
    return block
