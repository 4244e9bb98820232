"""Copying: the content of the next token, moved by a head that sees positions only."""

from fractions import Fraction

import numpy as np
import pytest

from constructions.construction import streams
from constructions.copying import NextTokenCopy, TokenMerging
from constructions.dense import dense_forward
from constructions.gradient_descent import GradientDescent
from numerics import check
from numerics.instances import rational_prompt
from proofs import prove
from proofs.copying import INTERLEAVED_DESCENT


@pytest.mark.parametrize("construction", [NextTokenCopy(), TokenMerging()], ids=["copy", "merge"])
def test_copying_is_proved_for_all_sizes(construction):
    assert prove(construction).holds


def test_every_token_but_the_last_gets_the_content_of_the_next_one():
    X = [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert NextTokenCopy()(X, [[0, 0, 0, 0]], [[0], [0]]).tolist() == [[2, 3, 4, 0], [6, 7, 8, 0]]


def test_the_last_token_keeps_its_position_code():
    *_, last = streams(NextTokenCopy(), rational_prompt(0, 3, 2))
    assert last["p", "tokens"].entry.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_token_matrix_of_a_merged_prompt_is_the_concatenated_one(n):
    """By the dense matrices: columns (x_i, 0 | 0, y_i) and zeros in turn, then the query with its position code."""
    prompt = rational_prompt(n, n, 2, 1)
    *_, H = dense_forward(TokenMerging(), prompt)
    H = np.array(H.entry.tolist())
    expected = np.full((2 + 1 + 2 + 1 + 2 * n + 1, 2 * n + 1), Fraction(0))
    expected[:2, : 2 * n : 2], expected[5, : 2 * n : 2] = prompt.X, prompt.Y[0]
    expected[:2, -1], expected[-1, -1] = np.array(prompt.x_query)[:, 0], 1
    assert [[Fraction(int(v.p), int(v.q)) for v in row] for row in H] == expected.tolist()


def test_interleaved_descent_is_descent_on_the_concatenated_prompt():
    etas = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 5)]
    network = type(INTERLEAVED_DESCENT)(step_sizes=etas, W_0=None)
    prompt = rational_prompt(3, 4, 2, 2)
    entries = prompt.X, prompt.Y, prompt.x_query
    assert network(*entries).tolist() == GradientDescent(step_sizes=etas)(*entries).tolist()


def test_interleaved_descent_holds_on_an_instance():
    network = type(INTERLEAVED_DESCENT)(step_sizes=[1, 2], W_0=None)
    assert check(network, rational_prompt(5, 3, 4, 2)).holds


def test_from_another_start_than_zero_the_networks_do_not_fit():
    """The merged query has y = 0, but gradient descent from W_0 starts it at -W_0 x."""
    network = type(INTERLEAVED_DESCENT)(step_sizes=[1], W_0=[[1, 0]])
    failure = check(network, rational_prompt(5, 3, 2, 1)).failure
    assert (failure.claim.kind, failure.claim.slot, failure.claim.group) == ("base", "y2", "query")
