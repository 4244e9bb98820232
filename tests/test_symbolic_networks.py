"""One head on symbols of unspecified size, for each score that is not a polynomial of the tokens."""

from fractions import Fraction

import pytest

from constructions.attention import Head, Mask
from constructions.block import Kernel, Verdict, compare, softmax
from constructions.stream import Stream
from constructions.weights import Weight
from proofs.symbols import SymbolBlock, size_of

SYMMETRIC, UNSYMMETRIC = Kernel("kappa"), Kernel("kappa", symmetric=False)
n, d, m = (size_of(name) for name in "ndm")
X, Y = SymbolBlock.letter("X", d, n), SymbolBlock.letter("Y", m, n)
x_query = SymbolBlock.letter("x_query", d, 1)


def gaussian(K, Q):
    """exp(-|k - q|^2 / 2) for every pair of columns."""
    row = K.ones(1, K.rows)
    keys, queries = (row @ K.square()).T @ K.ones(1, Q.columns), K.ones(K.columns, 1) @ (row @ Q.square())
    return (K.T @ Q - (keys + queries).scale(Fraction(1, 2))).exp()


def symbolic_update(score, values=Y):
    """What a head with keys and queries in x, and values in y, adds to the query."""
    blocks = {("x", "context"): X, ("y", "context"): values, ("x", "query"): x_query}
    stream = Stream({"x": d, "y": m}, {"context": n, "query": 1}, blocks)
    key = Weight({("x", "x"): 1})
    head = Head(key, key, Weight({("y", "y"): 1}), score=score, mask=Mask(("context",)))
    return head.update(stream)["y", "query"]


def are_equal(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


@pytest.mark.parametrize("kernel", [SYMMETRIC, UNSYMMETRIC])
def test_an_opaque_kernel_is_a_letter_of_keys_and_queries(kernel):
    assert are_equal(symbolic_update(kernel), Y @ X.kernel(x_query, kernel))


@pytest.mark.parametrize("kernel", [SYMMETRIC, UNSYMMETRIC])
def test_keys_and_queries_of_an_opaque_kernel_may_be_exchanged_if_it_is_symmetric(kernel):
    assert are_equal(symbolic_update(kernel), Y @ x_query.kernel(X, kernel).T) == kernel.symmetric


def test_the_linear_kernel_is_the_linear_score_for_all_sizes():
    linear = symbolic_update(Kernel("linear", lambda K, Q: K.T @ Q))
    assert are_equal(linear, symbolic_update("linear"))


def test_the_gaussian_kernel_is_a_scaled_exponential_for_all_sizes():
    def scale(K):
        return (K.ones(1, K.rows) @ K.square()).T.scale(Fraction(-1, 2))

    written = (X.T @ x_query + scale(X) + X.ones(n, 1) @ scale(x_query)).exp()
    assert are_equal(symbolic_update(Kernel("gaussian", gaussian)), Y @ written)


def test_a_softmax_multiplies_the_exponential_scores_by_a_factor_that_no_value_enters():
    Z = SymbolBlock.letter("Z", m, n)
    left = symbolic_update("softmax", Y) @ symbolic_update("exp", Z).T
    assert are_equal(left, symbolic_update("exp", Y) @ symbolic_update("softmax", Z).T)


def test_a_softmax_times_its_column_sums_is_the_exponential():
    scores = X.T @ X
    total = scores.ones(1, n) @ scores.exp()
    (weights,) = softmax([scores])
    assert are_equal(weights @ total.diagonal(), scores.exp())
    assert not are_equal(weights @ total.T.diagonal().scale(2), scores.exp())


def test_the_columns_of_a_softmax_sum_to_one():
    for scores in (X.T @ X, X.T @ x_query):
        (weights,) = softmax([scores])
        assert are_equal(scores.ones(1, n) @ weights, scores.ones(1, scores.columns))


def test_the_rows_of_a_softmax_are_not_taken_to_sum_to_one():
    scores = X.T @ X
    (weights,) = softmax([scores])
    assert not are_equal(weights @ scores.ones(n, 1), scores.ones(n, 1))
