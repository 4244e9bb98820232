"""Sums over indices: the normal form decides equality, against evaluation at small sizes."""

from fractions import Fraction
from itertools import product

import pytest
import sympy

from proofs.index_sums import Free, Index, Tensor, d, delta, eigenvalue, lam, n, power_sum, same_sample, summed

N, p, S = Tensor("N", "dd"), Tensor("p", "d"), Tensor("S", "dd", is_symmetric=True)
SPECTRUM = [2, Fraction(1, 3), 5]
ENTRIES = {
    "N": [[1, 2, 3], [4, 5, 6], [7, 8, 10]],
    "p": [1, -2, 5],
    "S": [[1, 7, 2], [7, 3, 4], [2, 4, 9]],
    "lam": SPECTRUM,
}


def by_hand(term):
    return sum(term(a, b) for a, b in product(range(3), repeat=2))


def test_names_of_summed_indices_do_not_matter():
    left = summed([(1, [N("a", "b"), p("b"), lam("a")])])
    assert left == summed([(1, [lam("c"), p("q"), N("c", "q")])])
    assert left != summed([(1, [N("b", "a"), p("b"), lam("a")])])


def test_symmetric_tensors_lose_the_order_of_their_indices():
    one = [p("a"), lam("a"), p("b")]
    assert summed([(1, [S("a", "b"), *one])]) == summed([(1, [S("b", "a"), *one])])
    assert summed([(1, [N("a", "b"), *one])]) != summed([(1, [N("b", "a"), *one])])


def test_transposes_of_a_general_tensor_differ_only_where_they_should():
    trace_of_square = summed([(1, [N("a", "b"), N("b", "a")])])
    squared_norm = summed([(1, [N("a", "b"), N("a", "b")])])
    assert trace_of_square != squared_norm
    assert summed([(1, [N("a", "b"), N("b", "c"), p("a"), p("c")])]) != summed(
        [(1, [N("a", "b"), N("a", "c"), p("b"), p("c")])]
    )


def test_bare_indices_count_their_range_and_eigenvalues_make_power_sums():
    assert summed([(3, [delta("a", "a"), same_sample("i", "i")])]).scalar == 3 * n * d
    assert summed([(1, [lam("a"), delta("a", "b"), lam("b"), lam("c")])]).scalar == power_sum(2) * power_sum(1)


def test_deltas_identify_indices_and_free_ones_stay():
    j, k = Free("j"), Free("k")
    assert summed([(1, [delta("a", j), N("a", "b"), delta("b", k)])]) == summed([(1, [N(j, k)])])
    assert summed([(1, [delta(j, k), lam(k)])]) == summed([(eigenvalue("j"), [delta(k, j)])])
    assert summed([(1, [delta(j, "a"), delta("a", k), delta(k, j)])]) == summed([(1, [delta(j, k)])])
    assert summed([(1 / eigenvalue("k"), [delta(j, k)])]) == summed([(1 / eigenvalue("j"), [delta(k, j)])])
    assert summed([(1, [delta("a", j), lam("a"), lam("a")])]).scalar == eigenvalue("j") ** 2


def test_products_sum_over_the_indices_of_each_factor():
    left, right = summed([(2, [N("a", "b"), p("b"), lam("a")])]), summed([(1, [p("a"), p("a")])])
    both = (left * right).evaluated({"n": 1, "d": 3}, ENTRIES, {})
    first = by_hand(lambda a, b: 2 * ENTRIES["N"][a][b] * ENTRIES["p"][b] * sympy.Rational(SPECTRUM[a]))
    assert both == first * sum(value**2 for value in ENTRIES["p"])


def test_evaluation_equals_loops():
    value = summed([(n / 2, [S("a", "b"), N("b", "a"), lam("b")]), (power_sum(2), [])])
    expected = 2 * by_hand(lambda a, b: ENTRIES["S"][a][b] * ENTRIES["N"][b][a] * sympy.Rational(SPECTRUM[b]))
    expected += sum(sympy.Rational(each) ** 2 for each in SPECTRUM)
    assert value.evaluated({"n": 4, "d": 3}, ENTRIES, {}) == expected


def test_substitution_keeps_outer_indices_and_sums_over_new_ones():
    replaced = summed([(1, [N("a", "b"), N("a", "b")])]).substituted(
        {N: lambda a, b: [(2, [p(a), p(b)]), (1, [S(a, "t"), S("t", b)])]}
    )
    product_entry = {
        (a, b): 2 * ENTRIES["p"][a] * ENTRIES["p"][b] + sum(ENTRIES["S"][a][t] * ENTRIES["S"][t][b] for t in range(3))
        for a, b in product(range(3), repeat=2)
    }
    assert replaced.evaluated({"n": 1, "d": 3}, ENTRIES, {}) == sum(value**2 for value in product_entry.values())


def test_a_wrong_number_of_labels_or_a_wrong_range_is_refused():
    with pytest.raises(ValueError, match="N has 2 indices, but 1 labels came"):
        N("a")
    with pytest.raises(ValueError, match="N has indices over dd"):
        N("a", Index("n", "i"))


def test_only_sums_without_tensors_are_scalars_and_only_closed_ones_have_values():
    with pytest.raises(ValueError, match="tensors are left"):
        _ = summed([(1, [p("a")])]).scalar
    with pytest.raises(ValueError, match="without free indices"):
        summed([(1, [p(Free("k"))])]).evaluated({"n": 1, "d": 3}, ENTRIES, {})


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"n": 0, "d": 3}, "n = 0: at least 1"), ({"n": 1, "d": 2}, "lam has 3 entries for d = 2")],
)
def test_bad_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        summed([(1, [p("a"), p("a")])]).evaluated(sizes, ENTRIES, {})


def test_sums_are_printed_with_their_indices():
    assert str(summed([(n, [N("a", "b"), p("b"), p("a")])])) == "(n) N[a,b] p[a] p[b]"
    assert str(summed([])) == "0"
