"""The reverse pass: gradients through the one forward pass, in whatever kind of number it runs.

Symbols: A, B blocks, C what an operation makes of them, G the cotangent of C: the block with d(target) = <G, dC>.

A ``TapeBlock`` holds a block of another kind and remembers how it was made. The operations are those of the held block,
and so are their vector-Jacobian products, which are written in the algebra of blocks:

    C = A B: G B^T to A, A^T G to B        C = A o B: G o B to A        C = A^-1: -C^T G C^T to A        ...

So a gradient of rationals is exact, one of balls is an enclosure, one of symbols a polynomial, and one of floats runs
on NumPy and CuPy, any batch in front. What is differentiated is the forward pass that the theorems are about.

    >>> from fractions import Fraction
    >>> from constructions.preconditioned import PreconditionedDescent
    >>> A = variable([[1, 0], [0, 1]])
    >>> predicted = PreconditionedDescent(preconditioners=[A])(variable([[1], [2]]), [[3]], [[1], [1]])
    >>> [gradient] = pulled_back(predicted, [A])
    >>> [[str(value) for value in row] for row in gradient.entry]
    [['3', '3'], ['6', '6']]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeAlias, final

from constructions.block import Block, Entry, Zero, kind_of, softmax
from constructions.comparison import Comparison
from constructions.scalars import Scalar
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock

Pullback: TypeAlias = "tuple[TapeBlock, Callable[[Block], Block]]"
"""An operand, and what takes the cotangent of the result to the cotangent that it sends to this operand."""


def variable(entry: Entry) -> TapeBlock:
    """The entry as a block that gradients can be taken with respect to.

    Args:
        entry: whatever a kind of number holds (but no ``TapeBlock``), or a block of such a kind.
    """
    if isinstance(entry, TapeBlock):
        raise TypeError("a TapeBlock came where a plain entry is required: pass the block that it holds, block.held")
    return TapeBlock(_lifted(entry), is_recorded=True)


def pulled_back(output: Block, sources: Sequence[TapeBlock], cotangent: Entry | None = None) -> list[Block]:
    """The gradients of <cotangent, output> with respect to the sources, in the kind of number that they hold.

    Args:
        output: made from the sources by the operations of blocks.
        sources: of ``variable``.
        cotangent: of the shape and kind of the output, batch included; None is ones, the gradient of the sum of all
            entries of all prompts.

    Returns:
        For each source a block of its shape and batch: a source without a batch gets the sum over the prompts. A
        source that the output does not depend on gets ``Zero``.

    Raises:
        TypeError: if the output is no ``TapeBlock`` or ``Zero``, or a source is no variable.
        ValueError: if the cotangent has another shape or batch than the output.
    """
    for source in sources:
        if not isinstance(source, TapeBlock) or not source.is_recorded:
            raise TypeError("a gradient can only be taken with respect to a variable: make the source by variable(...)")
    if isinstance(output, Zero):
        return [Zero(*source.shape) for source in sources]
    if not isinstance(output, TapeBlock):
        raise TypeError(
            f"the output is a {type(output).__name__}, which has no tape: make its sources by variable(...)"
        )
    cotangents = {id(output): _first_cotangent(output, cotangent)}
    wanted = {id(source) for source in sources}
    for block in _outputs_first(output):
        G = cotangents[id(block)] if id(block) in wanted else cotangents.pop(id(block))
        for operand, pullback in block.pullbacks:
            if operand.is_recorded and not (sent := _summed(pullback(G), operand)).is_zero:
                held = cotangents.get(id(operand))
                cotangents[id(operand)] = sent if held is None else held + sent
    return [cotangents.get(id(source), Zero(*source.shape)) for source in sources]


def _first_cotangent(output: TapeBlock, cotangent: Entry | None) -> Block:
    if cotangent is None:
        return _ones_like(output.held)
    block = _lifted(cotangent)
    if block.shape != output.shape or block.batch != output.batch:
        raise ValueError(
            f"the cotangent must have the shape {(*output.batch, *output.shape)} of the output, but "
            f"{(*block.batch, *block.shape)} came"
        )
    return block


def _outputs_first(output: TapeBlock) -> Iterator[TapeBlock]:
    """The recorded blocks that the output is made of, each before its operands."""
    order: list[TapeBlock] = []
    seen = {id(output)}
    path = [(output, iter(output.pullbacks))]
    while path:
        block, operands = path[-1]
        for operand, _ in operands:
            if operand.is_recorded and id(operand) not in seen:
                seen.add(id(operand))
                path.append((operand, iter(operand.pullbacks)))
                break
        else:
            order.append(block)
            path.pop()
    return reversed(order)


@final
class TapeBlock(Block):
    """A block of another kind, and how it was made.

    Args:
        held: the block.
        pullbacks: for every operand what takes the cotangent of this block to that of the operand, which may have
            batch dimensions that the operand lacks.
        is_recorded: whether gradients are taken with respect to it; a block made of such a one is so, too.
    """

    __slots__ = ("held", "is_recorded", "pullbacks")

    held: Block
    is_recorded: bool
    pullbacks: tuple[Pullback, ...]

    def __init__(self, held: Block, pullbacks: Sequence[Pullback] = (), is_recorded: bool = False) -> None:
        self.held = held
        self.is_recorded = is_recorded or any(operand.is_recorded for operand, _ in pullbacks)
        self.pullbacks = tuple(pullbacks) if self.is_recorded else ()

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """The entry as a constant; a ``TapeBlock`` as it is."""
        return entry if isinstance(entry, cls) else cls(_lifted(entry))

    @property
    def entry(self) -> Entry:
        """The block itself: how it was made has no other form."""
        return self

    @property
    def shape(self) -> tuple[Any, Any]:
        return self.held.shape

    @property
    def batch(self) -> tuple[int, ...]:
        return self.held.batch

    @property
    def number_format(self) -> str:
        return self.held.number_format

    @property
    def T(self) -> Self:
        return self._made(self.held.T, (self, lambda G: G.T))

    def ones(self, rows: Any, columns: Any) -> Self:
        return type(self)(self.held.ones(rows, columns))

    def identity(self, size: Any) -> Self:
        return type(self)(self.held.identity(size))

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        return type(self)(self.held.fill(rows, columns, function))

    def relu(self) -> Self:
        positive = _indicator(self.held) if self.is_recorded else self.held
        return self._made(self.held.relu(), (self, lambda G: G.hadamard(positive)))

    def exp(self) -> Self:
        C = self.held.exp()
        return self._made(C, (self, lambda G: G.hadamard(C)))

    def inverse(self) -> Self:
        C = self.held.inverse()
        return self._made(C, (self, lambda G: -(C.T @ G @ C.T)))

    def diagonal(self) -> Self:
        A, I = self.held, self.held.identity(self.held.rows * self.held.columns)
        is_row = A.rows == 1
        return self._made(
            A.diagonal(),
            (self, lambda G: A.ones(1, G.rows) @ G.hadamard(I) if is_row else G.hadamard(I) @ A.ones(G.rows, 1)),
        )

    def _matmul(self, other: Self) -> Self:
        A, B = self.held, other.held
        return self._made(A @ B, (self, lambda G: G @ B.T), (other, lambda G: A.T @ G))

    def _add(self, other: Self) -> Self:
        return self._made(self.held + other.held, (self, lambda G: G), (other, lambda G: G))

    def _scale(self, scalar: Scalar) -> Self:
        return self._made(self.held.scale(scalar), (self, lambda G: G.scale(scalar)))

    def _hadamard(self, other: Self) -> Self:
        A, B = self.held, other.held
        return self._made(A.hadamard(B), (self, lambda G: G.hadamard(B)), (other, lambda G: G.hadamard(A)))

    def _beside(self, others: Sequence[Self]) -> Self:
        blocks: list[Self] = [self, *others]
        pullbacks: list[Pullback] = []
        first = 0
        for block in blocks:
            pullbacks.append((block, _columns_of(block.held, first)))
            first += block.columns
        return self._made(self.held.beside(*(block.held for block in others)), *pullbacks)

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        """Weights p with dp = p o (ds - 1 (1^T sum of p o ds)) for scores s, the sum over all the key groups."""
        blocks: list[Self] = [self, *others]
        held_patterns = [pattern.held if isinstance(pattern, TapeBlock) else pattern for pattern in patterns]
        weights = softmax([block.held for block in blocks], held_patterns)
        return tuple(
            self._made(p_j, *((block, _softmax_pullback(p_k, p_j)) for block, p_k in zip(blocks, weights, strict=True)))
            for p_j in weights
        )

    def _compare(self, other: Self) -> Comparison:
        return self.held._compare(other.held)

    def _made(self, held: Block, *pullbacks: Pullback) -> Self:
        return type(self)(held, pullbacks)

    def __repr__(self) -> str:
        return f"TapeBlock({self.held!r})"


def _lifted(entry: Entry) -> Block:
    return entry if isinstance(entry, Block) else kind_of(entry).lift(entry)


def _columns_of(block: Block, first: int) -> Callable[[Block], Block]:
    """What cuts the block's columns, from the first on, out of those side by side."""
    return lambda G: G @ block.fill(G.columns, block.columns, lambda i, j: int(i == first + j))


def _softmax_pullback(p_k: Block, p_j: Block) -> Callable[[Block], Block]:
    """From the cotangent of the weights p_j to that of the scores of group k: p_k o (delta_jk G - 1 1^T (p_j o G))."""

    def pullback(G: Block) -> Block:
        along = p_k.ones(p_k.rows, 1) @ (p_j.ones(1, p_j.rows) @ p_j.hadamard(G))
        return p_k.hadamard(G - along if p_j is p_k else -along)

    return pullback


def _indicator(A: Block) -> Block:
    """1 where the entry is above 0, else 0: the derivative of relu, at 0 its left one."""
    if isinstance(A, FloatBlock):
        return FloatBlock(A.xp.astype(A.entry > 0, A.entry.dtype))
    if isinstance(A, RationalBlock):
        return A.fill(*A.shape, lambda i, j: int(A.matrix[i, j] > 0))
    raise TypeError(
        f"the derivative of relu needs the sign of every entry, which a {type(A).__name__} may not know: take it in "
        "floats or rationals"
    )


def _ones_like(A: Block) -> Block:
    """Ones in every entry, of every prompt of a batch."""
    if not A.batch:
        return A.ones(*A.shape)
    return FloatBlock(_floats(A).xp.ones_like(A.entry))


def _summed(G: Block, operand: TapeBlock) -> Block:
    """The cotangent, summed over the dimensions of its batch along which the operand is one matrix for all."""
    if G.batch == operand.batch or G.is_zero:
        return G
    array, xp = G.entry, _floats(G).xp
    extra = len(G.batch) - len(operand.batch)
    kept = [extra + i for i, size in enumerate(operand.batch) if size == 1 and G.batch[extra + i] != 1]
    if kept:
        array = xp.sum(array, axis=tuple(kept), keepdims=True)
    return FloatBlock(xp.sum(array, axis=tuple(range(extra))) if extra else array)


def _floats(A: Block) -> FloatBlock:
    if not isinstance(A, FloatBlock):
        raise TypeError(f"a batch of {type(A).__name__} has no gradient here: take it prompt by prompt, or in floats")
    return A
