"""One head on symbols of unspecified size, for each score that is not a polynomial of the tokens."""

from fractions import Fraction

from constructions.attention import Head, Mask
from constructions.block import Kernel, Verdict, compare
from constructions.stream import Stream
from constructions.weights import Weight
from proofs.symbols import SymbolBlock, size_of

KAPPA, UNSYMMETRIC = Kernel("kappa"), Kernel("kappa", symmetric=False)
n, d, m = (size_of(name) for name in "ndm")
X, Y = SymbolBlock.letter("X", d, n), SymbolBlock.letter("Y", m, n)
x_query = SymbolBlock.letter("x_query", d, 1)


def gaussian(K, Q):
    """exp(-|k - q|^2 / 2) for every pair of columns."""
    row = K.ones(1, K.rows)
    keys, queries = (row @ K.square()).T @ K.ones(1, Q.columns), K.ones(K.columns, 1) @ (row @ Q.square())
    return (K.T @ Q - (keys + queries).scale(Fraction(1, 2))).exp()


def symbolic_update(score):
    """What a head with keys and queries in x, and values in y, adds to the query."""
    blocks = {("x", "context"): X, ("y", "context"): Y, ("x", "query"): x_query}
    stream = Stream({"x": d, "y": m}, {"context": n, "query": 1}, blocks)
    whole = Head(
        Weight({("x", "x"): 1}), Weight({("x", "x"): 1}), Weight({("y", "y"): 1}), score=score, mask=Mask(("context",))
    )
    return whole.update(stream)["y", "query"]


def test_an_opaque_kernel_is_a_letter_of_queries_and_keys():
    assert str(symbolic_update(KAPPA)) == "Y kappa(x_query, X)'"


def test_an_opaque_kernel_that_is_not_symmetric_keeps_its_order():
    assert str(symbolic_update(UNSYMMETRIC)) == "Y kappa(X, x_query)"


def test_the_linear_kernel_is_the_linear_score_for_all_sizes():
    linear = symbolic_update(Kernel("linear", lambda K, Q: K.T @ Q))
    assert compare(linear, symbolic_update("linear")).verdict is Verdict.EQUAL


def test_the_gaussian_kernel_is_a_scaled_exponential_for_all_sizes():
    def scale(K):
        return (K.ones(1, K.rows) @ K.square()).T.scale(Fraction(-1, 2))

    written = (X.T @ x_query + scale(X) + X.ones(n, 1) @ scale(x_query)).exp()
    assert compare(symbolic_update(Kernel("gaussian", gaussian)), Y @ written).verdict is Verdict.EQUAL


def test_a_softmax_over_the_context_divides_by_the_sum_over_its_keys():
    assert str(symbolic_update("softmax")) == "(reciprocal((1_n' exp(x_query' X)'))) Y exp(x_query' X)'"
