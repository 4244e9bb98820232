"""Dense matrices as weights: the blocks that a proof sees, the numbers that it does not, and what does not fit."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from constructions import (
    MLP,
    Attention,
    Construction,
    GradientDescent,
    Layer,
    Mask,
    Prompt,
    constant,
    example_tokens,
    forward,
    given_head,
    given_map,
    given_mlp,
    given_weight,
    ratio,
)
from constructions.dense import dense_forward, export
from constructions.weights import Weight
from numerics.rationals import RationalBlock
from proofs import check, prove
from proofs.symbols import SymbolBlock

LAYOUT = {"x": 2, "y": 1}
SELECT_X, SELECT_Y = np.diag([1.0, 1.0, 0.0]), np.diag([0.0, 0.0, -1.0])
MATRIX = np.array([[1.0, 0.5], [0.0, 1.0]])
LIKE = RationalBlock.lift([[1]])


class Printed(Construction):
    """Two steps of gradient descent at d = 2, m = 1, with the dense matrices as printed; their invariant not given."""

    dimension, targets, depth = 2, 1, 2
    value = SELECT_Y

    def initial(self, prompt):
        return prompt.X.zeros(1, 2)

    def step(self, l, W, prompt):
        return W - ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(1, 2 * prompt.n))

    def predict(self, W, prompt):
        return W @ prompt.x_query

    def embed(self, prompt):
        return example_tokens(prompt)

    def layer(self, l, prompt):
        matrices = {"W_K": SELECT_X, "W_Q": SELECT_X, "W_V": self.value, "P": np.eye(3) / 2}
        return Layer(
            Attention(given_head(matrices, LAYOUT, prompt.X, factor=ratio(1, prompt.n), mask=Mask(("context",))))
        )

    def read_out(self, stream):
        return -stream["y", "query"]


class WrongSign(Printed):
    value = -SELECT_Y


@dataclass(frozen=True)
class PrintedPreconditioner(Printed):
    """The same with a matrix in the query, which is no multiple of the identity."""

    printed: bool = True

    def step(self, l, W, prompt):
        moved = (W @ prompt.X - prompt.Y) @ prompt.X.T @ constant(MATRIX, prompt.X)
        return W - moved.scale(ratio(1, 2 * prompt.n))

    def layer(self, l, prompt):
        query = np.zeros((3, 3))
        query[:2, :2] = MATRIX if self.printed else MATRIX.T
        matrices = {"W_K": SELECT_X, "W_Q": query, "W_V": SELECT_Y, "P": np.eye(3) / 2}
        return Layer(
            Attention(given_head(matrices, LAYOUT, prompt.X, factor=ratio(1, prompt.n), mask=Mask(("context",))))
        )


def test_zero_blocks_and_multiples_of_the_identity_are_seen():
    weight = given_weight(np.diag([0.5, 0.5, 0.0]), LAYOUT, LAYOUT, LIKE)
    assert dict(weight) == {("x", "x"): Fraction(1, 2)}


def test_other_blocks_are_the_exact_numbers_that_came():
    weight = given_weight([[1, 0.25, 0], [0, 1, 0], [0, 0, 0]], LAYOUT, LAYOUT, LIKE)
    assert as_lists(weight["x", "x"].entry) == [[1, Fraction(1, 4)], [0, 1]]


def test_printed_matrices_are_proved_for_every_number_of_examples():
    found = check(Printed())
    assert found.verdict == "holds"
    assert found.evidence[0].over == "all n; d = 2; m = 1; layers: 2; 1 identities"


def test_a_sign_in_a_printed_matrix_is_refuted_at_its_sizes():
    refutation = check(WrongSign()).refutation
    assert refutation.example.sizes == (1, 2, 1)
    assert "sublayer 1, head 1, value, block y <- y: change its sign" in refutation.hints[0]


def test_a_given_matrix_is_one_letter_wherever_it_stands():
    assert prove(PrintedPreconditioner()).holds
    assert not prove(PrintedPreconditioner(printed=False)).holds


def test_a_transposed_given_matrix_is_refuted():
    (hint,) = (hint for hint in check(PrintedPreconditioner(printed=False)).refutation.hints if "transpose" in hint)
    assert "head 1, query, block x <- x: transpose it" in hint


def test_a_large_matrix_has_a_name_that_only_equal_ones_share():
    like = SymbolBlock.letter("X", 2, 2)
    one, same, other = (constant(np.array([[1.1, 2.2], [3.3, last]]), like) for last in (4.4, 4.4, 4.5))
    assert one.normal_form == same.normal_form
    assert one.normal_form != other.normal_form


def test_the_dense_matrices_of_a_construction_are_given_back():
    """Exported, cut into blocks again and run: the prediction of the original."""
    descent = GradientDescent(step_sizes=[Fraction(1, 2)], W_0=[[2, 1]])
    prompt = Prompt([[1, 2], [0, 3]], [[1, -1]], [[1], [2]])
    names = export(descent, prompt)
    matrices = {name: names[f"layer_0.attention_0.head_0.{name}"] for name in ("W_K", "W_Q", "W_V", "P")}
    held = prompt.lifted()
    head = given_head(
        {name: as_lists(matrix) for name, matrix in matrices.items()}, LAYOUT, held.X, mask=Mask(("context",))
    )
    embedded = example_tokens(held).plus({("y", "query"): -(RationalBlock.lift([[2, 1]]) @ held.x_query)})
    predicted = -Layer(Attention(head))(embedded)["y", "query"]
    assert predicted.entry.tolist() == forward(descent, prompt).entry.tolist()


def as_lists(matrix):
    return [[Fraction(int(value.p), int(value.q)) for value in row] for row in matrix.tolist()]


def test_a_given_map_and_a_given_mlp_are_what_the_matrices_say():
    class Mixed(Printed):
        depth = 1

        def layer(self, l, prompt):
            mlp = given_mlp(MLP_MATRICES, LAYOUT, prompt.X, "relu")
            assert isinstance(mlp, MLP)
            return Layer(given_map(A, LAYOUT, prompt.X), mlp)

    rng = np.random.default_rng(0)
    A = rng.integers(-2, 3, (3, 3)).astype(float)
    MLP_MATRICES = {
        "W_1": rng.integers(-2, 3, (4, 3)).astype(float),
        "b_1": rng.integers(-2, 3, 4).astype(float),
        "W_2": rng.integers(-2, 3, (3, 4)).astype(float),
        "b_2": np.array([1.0, 2.0, 3.0]),
    }
    prompt = Prompt(np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[1.0, -1.0]]), np.array([[1.0], [2.0]]))
    H, last = (block.entry for block in dense_forward(Mixed(), prompt))
    moved = H + A @ H
    hidden = np.maximum(MLP_MATRICES["W_1"] @ moved + MLP_MATRICES["b_1"][:, None], 0)
    assert np.array_equal(last, moved + MLP_MATRICES["W_2"] @ hidden + MLP_MATRICES["b_2"][:, None])


def test_a_key_space_of_another_width_is_one_slot():
    matrices = {"W_K": [[1, 0, 0]], "W_Q": [[0, 1, 0]], "W_V": [[0, 0, 1]], "P": [[0], [0], [1]]}
    head = given_head(matrices, LAYOUT, LIKE)
    assert set(head.key) == {("key", "x")}
    assert dict(head.projection) == {("y", "value"): 1}


NAN = float("nan")


@pytest.mark.parametrize(
    ("matrices", "said"),
    [
        ({"W_K": SELECT_X, "W_Q": SELECT_X}, "given by W_K, W_Q, W_V and P: W_V missing, none unknown"),
        ({"W_K": 1, "W_Q": 1, "W_V": 1, "W_O": 1}, "none missing, W_O unknown"),
        ({"W_K": SELECT_X, "W_Q": SELECT_X[:2], "W_V": SELECT_Y}, "W_K has 3 rows and W_Q 2"),
        ({"W_K": SELECT_X, "W_Q": SELECT_X, "W_V": SELECT_Y[:2]}, "a projection P is required"),
        ({"W_K": SELECT_X[:, :2], "W_Q": SELECT_X, "W_V": SELECT_Y}, r"W_K has shape \(3, 2\), but its layout"),
        ({"W_K": SELECT_X, "W_Q": SELECT_X, "W_V": SELECT_Y * NAN}, "W_V has an entry that is no number.*nan"),
        ({"W_K": [[1, 2], [3]], "W_Q": SELECT_X, "W_V": SELECT_Y}, r"W_K must be a matrix, but its rows have \[1, 2\]"),
    ],
)
def test_matrices_that_do_not_fit_are_refused_by_name(matrices, said):
    with pytest.raises(ValueError, match=said):
        given_head(matrices, LAYOUT, LIKE)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(TypeError, match=r"a matrix must be a matrix.*array\(\[1"):
        constant(np.array([1.0, 2.0]), LIKE)


def test_a_given_matrix_needs_a_fixed_size():
    class AnyDimension(Printed):
        dimension = "d"

        def layer(self, l, prompt):
            return Layer(given_map(np.zeros((3, 3)), {"x": prompt.d, "y": 1}, prompt.X))

    with pytest.raises((ValueError, TypeError), match="dimension = 2 for d"):
        prove(AnyDimension())


def test_a_raw_array_as_a_block_is_refused_with_what_to_call():
    with pytest.raises(TypeError, match=r"block \('x', 'x'\).*constant\(matrix, prompt.X\)"):
        Weight({("x", "x"): MATRIX})
