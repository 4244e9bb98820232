"""Every kind of number, and the same matrices in each of them.

Entries of floats are quarters, so that float arithmetic on them is exact and laws hold to the last bit.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from constructions.block import Zero, compare, materialised
from constructions.comparison import Verdict
from numerics.balls import BallBlock
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.explicit import ExplicitBlock
from proofs.symbols import SymbolBlock, size_of

EXACT = {"rationals": RationalBlock, "balls": BallBlock, "explicit symbols": ExplicitBlock}
FLOATS = {"floats": FloatBlock, "floats with a radius": RoundedBlock}
QUARTERS = st.builds(Fraction, st.integers(-8, 8), st.just(4))
# The namespace that the fixture xp returns holds no state, so it may serve every example.
with_fixture = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
exact_kinds = pytest.mark.parametrize("kind", EXACT.values(), ids=EXACT)
float_kinds = pytest.mark.parametrize("kind", FLOATS.values(), ids=FLOATS)


def floats(table):
    return [[float(value) for value in row] for row in table]


def of_kind(kind, table):
    return kind.lift(np.array(floats(table)) if kind in FLOATS.values() else table)


KINDS = {**EXACT, **FLOATS}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
TABLE = [[Fraction(1), Fraction(-1, 2), Fraction(0)], [Fraction(2), Fraction(1, 4), Fraction(-3)]]
SYMBOLS = SymbolBlock.letter("A", size_of("n"), size_of("d"))
ALL = [*(of_kind(kind, TABLE) for kind in KINDS.values()), SYMBOLS]
every_block = pytest.mark.parametrize("A", ALL, ids=[*KINDS, "symbols"])


def agree(left, right):
    """Whether two blocks are equal: plain floats to the last bit, other kinds by their own comparison."""
    if isinstance(left, FloatBlock) and isinstance(right, (FloatBlock, Zero)):
        pair = (np.asarray(block.entry) for block in (left, materialised(right, left)))
        return np.array_equal(*np.broadcast_arrays(*pair))
    return compare(left, right).verdict is Verdict.EQUAL
