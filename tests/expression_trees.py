"""Random matrix expressions, built in any kind of number, and the value of a normal form on an exact instance.

A letter's name tells its shape: A_dn is (d, n), A_d1 is (d, 1). On an instance, exp(v) stands for 1 + v + v^3, which
shares with the exponential only that it is injective and 1 at 0, so that no other property can be used unnoticed.
"""

import random
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import sympy
from hypothesis import strategies as st

from constructions.block import FeatureMap, Kernel, materialised, softmax
from numerics.rationals import RationalBlock, as_fraction
from proofs.letters import Compound, Diagonal, Entrywise, Features, KernelLetter, Letter, Ones
from proofs.symbols import SymbolBlock, size_of

N, D, M = (size_of(name) for name in "ndm")
ETA, MU = sympy.symbols("eta mu", real=True)
DEPTH = sympy.Symbol("l", integer=True, nonnegative=True)
SCALARS = (
    *(Fraction(-1, 2), 3, -1, 0, ETA, -ETA, 1 - ETA, MU - ETA, ETA / N, -ETA / MU, N, 1 / D),
    *(2**DEPTH, 2 ** (DEPTH + 1), ETA**2 - MU, 1 / (1 - ETA), ETA / (1 + MU**2)),
)
"""Coefficients, most of them of unknown sign."""


class Tree(NamedTuple):
    """An expression: an operation, its operands, and what else belongs to it (a scalar, a name, a shape)."""

    operation: str
    operands: tuple["Tree", ...] = ()
    label: Any = None


def letter(name, rows, columns):
    """The expression that is a single letter, named after its shape."""
    return Tree("letter", (), (f"{name}_{rows}{columns}", rows, columns))


RING = ("@", "@", "@", "+", "-", "scale", "T")
LEAVES = ("letter", "letter", "transposed letter", "ones", "identity")
FLAVOURS = {
    "products": (*RING, "cancelling"),
    "inverses": (*RING, "inverse", "inverse", "cancelling", "inverse letter"),
    "diagonals": (*RING, "diagonal", "diagonal", "hadamard", "inverse", "diagonal and ones", "diagonal and ones"),
    "functions": (*RING, "relu", "relu", "relu", "exp", "hadamard"),
    "kernels": (*RING, "kernel", "softmax", "beside", "hadamard"),
    "feature maps": (*RING, "features", "features", "kernel", "features of a row", "inverse"),
    "everything": (
        *RING,
        "relu",
        "exp",
        "hadamard",
        "diagonal",
        "inverse",
        "cancelling",
        "kernel",
        "softmax",
        "beside",
        "features",
    ),
}
"""What expressions are made of; every kind of expression meets a reason of its own to be wrong."""

SHAPES = st.tuples(*[st.sampled_from([N, D, M, 1])] * 2)


@st.composite
def trees(
    draw, rows, columns, flavour="everything", depth=4, sizes=(N, D, M, 1), letters="AB", leaves=LEAVES, planted=()
):
    """Expressions of that shape.

    Args:
        rows, columns: the shape.
        flavour: of which operations.
        depth: how deep.
        sizes: of which inner sizes.
        letters: the letters of every shape.
        leaves: what expressions end in.
        planted: triples (rows, columns, expression) that are to occur often.
    """

    def size():
        return draw(st.sampled_from(sizes))

    def tree(r, c, depth):
        fitting = [expression for *shape, expression in planted if shape == [r, c]]
        if fitting and draw(st.booleans()):
            return draw(st.sampled_from(fitting))
        operation = draw(st.sampled_from(leaves if depth == 0 else FLAVOURS[flavour]))
        is_square_only = operation in ("inverse", "diagonal", "inverse letter", "identity")
        if is_square_only and r != c:
            operation = "letter"
        name = draw(st.sampled_from(letters)) if "letter" in operation else None
        if operation == "letter":
            return letter(name, r, c)
        if operation == "transposed letter":
            return Tree("T", (letter(name, c, r),))
        if operation == "inverse letter":
            return Tree("inverse", (letter(name, r, c),))
        if operation in ("ones", "identity"):
            return Tree(operation, (), (r, c))
        if operation == "@":
            inner = size()
            return Tree("@", (tree(r, inner, depth - 1), tree(inner, c, depth - 1)))
        if operation in ("+", "-", "hadamard"):
            return Tree(operation, (tree(r, c, depth - 1), tree(r, c, depth - 1)))
        if operation == "scale":
            return Tree("scale", (tree(r, c, depth - 1),), draw(st.sampled_from(SCALARS)))
        if operation == "T":
            return Tree("T", (tree(c, r, depth - 1),))
        if operation in ("relu", "exp", "inverse"):
            return Tree(operation, (tree(r, c, depth - 1),))
        if operation == "diagonal":
            return Tree("diagonal", ((draw(st.booleans()) and tree(1, r, depth - 1)) or tree(r, 1, depth - 1),))
        if operation == "diagonal and ones":
            # diag(z) 1 or 1^T diag(z), or with the inverse of diag(z), times what makes the shape right.
            is_left = draw(st.booleans())
            middle = Tree("diagonal", (tree(r if is_left else c, 1, depth - 1),))
            middle = Tree("inverse", (middle,)) if draw(st.booleans()) else middle
            if is_left:
                return Tree("@", (Tree("@", (middle, Tree("ones", (), (r, 1)))), tree(1, c, depth - 1)))
            return Tree("@", (tree(r, 1, depth - 1), Tree("@", (Tree("ones", (), (1, c)), middle))))
        if operation == "kernel":
            inner, which = size(), draw(st.sampled_from(sorted(KERNELS)))
            return Tree("kernel", (tree(inner, r, depth - 1), tree(inner, c, depth - 1)), which)
        if operation == "features":
            return Tree("features", (tree(size(), c, depth - 1),), r)
        if operation == "features of a row":
            inner, parts = size(), [size(), size()]
            image = Tree("features", (Tree("beside", tuple(tree(inner, part, depth - 1) for part in parts)),), r)
            return Tree("@", (image, Tree("above", tuple(tree(part, c, depth - 1) for part in parts))))
        if operation == "softmax":
            place = draw(st.integers(0, 1))
            parts = [tree(size(), c, depth - 1)]
            parts.insert(place, tree(r, c, depth - 1))
            return Tree("softmax", tuple(parts), place)
        if operation == "beside":
            left, right = size(), size()
            row = Tree("beside", (tree(r, left, depth - 1), tree(r, right, depth - 1)))
            return Tree("@", (row, Tree("above", (tree(left, c, depth - 1), tree(right, c, depth - 1)))))
        assert operation == "cancelling"
        square, rest = tree(r, r, depth - 1), tree(r, c, depth - 1)
        if draw(st.booleans()):
            square = Tree("T", (square,))
        pair = (square, Tree("@", (Tree("inverse", (square,)), rest)))
        return Tree("@", pair)

    return tree(rows, columns, depth)


def mapped(function, block):
    """The rational block with the function applied to every entry."""
    return block.fill(*block.shape, lambda i, j: function(as_fraction(block.matrix[i, j])))


KERNELS = {
    "kappa": Kernel("kappa", lambda K, Q: mapped(lambda v: 1 + 2 * v + v**3, K.T @ Q), symmetric=True),
    "theta": Kernel("theta", lambda K, Q: K.T @ Q + K.T.square() @ K.ones(K.rows, Q.columns), symmetric=False),
}


def mapped_columns(block, rows):
    """The rational block of that many features, each of them another polynomial of the whole column."""
    table = [[as_fraction(block.matrix[i, j]) for i in range(block.rows)] for j in range(block.columns)]

    def feature(i, column):
        return i + 1 + sum((k + 1 - i) * (v + v**3) for k, v in enumerate(column))

    return block.fill(rows, block.columns, lambda i, j: feature(i, table[j]))


class Symbols:
    """Where expressions are built of symbols."""

    like = SymbolBlock.letter("like", 1, 1)
    letter = staticmethod(SymbolBlock.letter)
    softmax = staticmethod(softmax)

    def size(self, size):
        return size

    scalar = size

    def exp(self, block):
        return block.exp()

    def kernel(self, name, keys, queries):
        return keys.kernel(queries, Kernel(name, symmetric=KERNELS[name].symmetric))

    def features(self, block, rows):
        return block.features(FeatureMap(f"phi{rows}", rows=rows if rows == 1 else str(rows)))


class Instance:
    """Where expressions are built of rationals: sizes 1 to 3, small entries, all drawn from a seed.

    Args:
        seed: of the draw.
        letters: given rational blocks, by name; they fix the sizes that their names tell.
        sizes: given sizes, by symbol.
    """

    like = RationalBlock.lift([[1]])

    def __init__(self, seed, letters=None, sizes=None):
        self.seed, rng = seed, random.Random(seed)
        self.sizes = {size: rng.randint(1, 3) for size in (N, D, M)} | (sizes or {})
        self.values = {symbol: Fraction(rng.randint(-3, 3), rng.randint(1, 3)) for symbol in (ETA, MU)}
        self.values[DEPTH] = rng.randint(0, 3)
        self.letters = dict(letters or {})

    def size(self, size):
        return int(sympy.sympify(size).subs(self.sizes))

    def letter(self, name, rows, columns):
        if name not in self.letters:
            rng, shape = random.Random(f"{name} {self.seed}"), (self.size(rows), self.size(columns))
            self.letters[name] = self.like.fill(
                *shape, lambda i, j: Fraction(rng.randint(-3, 3), rng.choice([1, 1, 2]))
            )
        return self.letters[name]

    def scalar(self, scalar):
        value = sympy.sympify(scalar).subs({**self.sizes, **self.values})
        if not value.is_Rational:
            raise ZeroDivisionError(f"{scalar} on {self.values}")
        return Fraction(int(value.p), int(value.q))

    def exp(self, block):
        return mapped(lambda v: 1 + v + v**3, block)

    def kernel(self, name, keys, queries):
        return keys.kernel(queries, KERNELS[name])

    def features(self, block, rows):
        return block.features(FeatureMap("phi", lambda X: mapped_columns(X, self.size(rows))))

    def softmax(self, scores):
        raised = [self.exp(score) for score in scores]
        totals = [block.ones(1, block.rows) @ block for block in raised]
        reciprocal = mapped(lambda v: 1 / v, totals[0] + totals[1]).diagonal()
        return [block @ reciprocal for block in raised]


def block_of(tree, numbers):
    """The expression as a block; ZeroDivisionError where it inverts what has no inverse."""
    return materialised(_built(tree, numbers), numbers.like)


def _built(tree, numbers):
    operation, label = tree.operation, tree.label
    if operation == "letter":
        return numbers.letter(*label)
    if operation == "ones":
        return numbers.like.ones(*map(numbers.size, label))
    if operation == "identity":
        return numbers.like.identity(numbers.size(label[0]))
    operands = [_built(operand, numbers) for operand in tree.operands]
    if operation == "scale":
        return operands[0].scale(numbers.scalar(label))
    if operation in ("exp", "kernel", "softmax", "features"):
        operands = [materialised(operand, numbers.like) for operand in operands]
    first, *rest = operands
    return {
        "@": lambda: first @ rest[0],
        "+": lambda: first + rest[0],
        "-": lambda: first - rest[0],
        "T": lambda: first.T,
        "inverse": lambda: first.inverse(),
        "relu": lambda: first.relu(),
        "exp": lambda: numbers.exp(first),
        "hadamard": lambda: first.hadamard(rest[0]),
        "diagonal": lambda: first.diagonal(),
        "beside": lambda: first.beside(*rest),
        "above": lambda: first.above(*rest),
        "kernel": lambda: numbers.kernel(label, first, rest[0]),
        "features": lambda: numbers.features(first, label),
        "softmax": lambda: numbers.softmax(operands)[label],
    }[operation]()


def value_of(total, instance):
    """The value of a normal form on an instance."""
    rows, columns = instance.size(total.rows), instance.size(total.columns)
    value = instance.like.zeros(rows, columns)
    for monomial, coefficient in total.terms.items():
        scalars = [as_fraction(_word_value(word, instance).matrix[0, 0]) for word in monomial.scalars]
        word = _word_value(monomial.word, instance) if monomial.word else instance.like.identity(rows)
        value = value + word.scale(reduce(lambda a, b: a * b, scalars, instance.scalar(coefficient)))
    return value


def _word_value(word, instance):
    return reduce(lambda a, b: a @ b, [_factor_value(factor, instance) for factor in word])


def _factor_value(factor, instance):
    block = _letter_value(factor.letter, instance)
    block = block.T if factor.transposed else block
    return block.inverse() if factor.inverted else block


def _letter_value(held, instance):
    if isinstance(held, Letter):
        return instance.letter(held.name, held.rows, held.columns)
    if isinstance(held, Ones):
        return instance.like.ones(instance.size(held.rows), 1)
    if isinstance(held, Diagonal):
        return value_of(held.column, instance).diagonal()
    if isinstance(held, KernelLetter):
        return instance.kernel(held.name, value_of(held.keys, instance), value_of(held.queries, instance))
    if isinstance(held, Features):
        return instance.features(value_of(held.argument, instance), held.rows)
    if isinstance(held, Entrywise):
        argument = value_of(held.argument, instance)
        if held.function == "reciprocal":
            return mapped(lambda v: 1 / v, argument)
        return argument.relu() if held.function == "relu" else instance.exp(argument)
    assert isinstance(held, Compound)
    first, *rest = [value_of(argument, instance) for argument in held.arguments]
    if held.operation == "inverse":
        return first.inverse()
    return first.beside(*rest) if held.operation == "beside" else reduce(lambda a, b: a.hadamard(b), rest, first)
