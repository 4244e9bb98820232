"""Feature maps: one letter for an arbitrary map, and a function of blocks in every kind of number."""

from dataclasses import dataclass
from fractions import Fraction

import pytest
from every_kind import KINDS, agree, of_kind

from constructions.attention import Head, Mask
from constructions.block import FeatureMap, Kernel, Zero, compare
from constructions.comparison import Verdict
from constructions.dense import dense_layer, export
from constructions.display import described
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer, TokenFunction
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.mutations import mutations
from numerics.rationals import RationalBlock
from proofs.induction import SymbolicRun, prove
from proofs.symbols import SymbolBlock, size_of

ANY = FeatureMap("phi")
N, D, P = (size_of(name) for name in "ndp")
A, B = SymbolBlock.letter("A", D, N), SymbolBlock.letter("B", D, N)
TABLE = [[Fraction(1), Fraction(-1, 2)], [Fraction(2), Fraction(-3)]]

SIGNED = FeatureMap("signed", lambda X: X.relu().above((-X).relu(), X.square()))
"""relu(x), relu(-x), x^2: three features for each one."""


def is_proved(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


def test_an_arbitrary_map_is_a_letter_of_its_argument():
    image = A.features(ANY)
    assert image.shape == (P, N)
    assert is_proved(image, (A + B - B).features(ANY))
    assert not is_proved(image, B.features(ANY))
    assert not is_proved(image, A.features(FeatureMap("psi")))


def test_an_arbitrary_map_is_not_taken_to_be_linear():
    assert not is_proved((A + B).features(ANY), A.features(ANY) + B.features(ANY))
    assert not is_proved(A.scale(2).features(ANY), A.features(ANY).scale(2))
    same = FeatureMap("phi", rows="d")
    assert not is_proved((A @ A.T @ B).features(same), A @ A.T @ B.features(same))


def test_an_arbitrary_map_acts_column_by_column():
    assert is_proved(A.beside(B).features(ANY), A.features(ANY).beside(B.features(ANY)))
    assert not is_proved(A.beside(B).features(ANY), B.features(ANY).beside(A.features(ANY)))


def test_an_arbitrary_map_may_keep_the_width():
    assert A.features(FeatureMap("phi", rows="d")).shape == (D, N)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_map_with_a_function_is_that_function_in_every_kind(kind):
    expected = [[1, 0], [2, 0], [0, Fraction(1, 2)], [0, 3], [1, Fraction(1, 4)], [4, 9]]
    assert agree(of_kind(kind, TABLE).features(SIGNED), of_kind(kind, [list(map(Fraction, row)) for row in expected]))


def test_a_map_with_a_function_is_that_function_in_symbols():
    assert is_proved(A.features(FeatureMap("square", lambda X: X.square())), A.hadamard(A))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_arbitrary_map_does_not_run_on_numbers(kind):
    with pytest.raises(TypeError, match="the map 'phi' is arbitrary: give it a function of blocks to run on numbers"):
        of_kind(kind, TABLE).features(ANY)


def test_features_of_a_zero_block_are_refused():
    with pytest.raises(TypeError, match="no kind of number to take features in: use materialised"):
        Zero(2, 2).features(SIGNED)


def test_a_map_that_changes_the_columns_is_refused():
    with pytest.raises(ValueError, match=r"the map 'gram' must keep the 2 columns, but shape \(2, 1\) came"):
        of_kind(RationalBlock, TABLE).features(FeatureMap("gram", lambda X: X @ X.ones(2, 1)))


# In a network.


def stream_of(x, f=None):
    blocks = {("x", "context"): RationalBlock.lift(x)}
    if f is not None:
        blocks["f", "context"] = RationalBlock.lift(f)
    return Stream({"x": 2, "f": 6}, {"context": 2, "query": 1}, blocks)


WITH_ONE = FeatureMap("one more", lambda X: X.above(X.square(), X + X.ones(*X.shape)))


def test_a_token_function_adds_the_features_to_its_slot_in_every_group():
    x, f = [[1, 2], [3, 4]], [[1, 0]] * 6
    after = Layer(TokenFunction(WITH_ONE, "x", "f"))(stream_of(x, f))
    assert after["f", "context"].entry.tolist() == [[2, 2], [4, 4], [2, 4], [10, 16], [3, 3], [5, 5]]
    assert after["f", "query"].entry.tolist() == [[0], [0], [0], [0], [1], [1]]
    assert after["x", "context"].entry.tolist() == x


def test_a_dense_run_applies_the_same_map():
    layer, stream = Layer(TokenFunction(WITH_ONE, "x", "f")), stream_of([[1, 2], [3, 4]], [[1, 0]] * 6)
    assert compare(layer(stream).dense(), dense_layer(layer, stream)).verdict is Verdict.EQUAL


@dataclass(frozen=True, kw_only=True, repr=False)
class OnFeatures(GradientDescent):
    """One layer that adds (eta / n) sum_i y_i phi(x_i)^T phi(x) to every y slot."""

    features: FeatureMap = ANY
    kernel: Kernel = Kernel("linear", lambda K, Q: K.T @ Q)

    def step(self, l, W, prompt):
        return W + prompt.Y @ prompt.X.features(self.features).T.scale(self.step_sizes[l])

    def predict(self, W, prompt):
        return W @ prompt.x_query.features(self.features)

    def initial(self, prompt):
        return Zero(prompt.m, self.width(prompt))

    def width(self, prompt):
        return prompt.X.known_size(prompt.X.features(self.features).rows)

    def embed(self, prompt):
        stream = super().embed(prompt)
        return Stream({**stream.slots, "f": self.width(prompt)}, stream.groups, stream.blocks)

    def layer(self, l, prompt):
        key = Weight({("f", "f"): 1})
        head = Head(key, key, Weight({("y", "y"): self.step_sizes[l]}), mask=Mask({"query": ("context",)}))
        zeroed = TokenFunction(FeatureMap("minus", lambda X: -X), "f", "f")
        return Layer(TokenFunction(self.features, "x", "f"), Attention(head), zeroed)

    def state(self, l, W, prompt):
        return {**self.embed(prompt).blocks, ("y", "query"): self.predict(W, prompt)}

    def read_out(self, stream):
        return stream["y", "query"]


def test_a_network_is_proved_for_every_map():
    proof = prove(OnFeatures(step_sizes=[1]))
    assert proof.holds
    assert "any map phi of a token to p features" in proof.free
    assert "kernel = linear, as given" in proof.free


def test_a_network_with_another_map_than_claimed_is_not_proved():
    class Other(OnFeatures):
        def predict(self, W, prompt):
            return W @ prompt.x_query.features(FeatureMap("psi"))

    assert not prove(Other(step_sizes=[1])).holds


@pytest.mark.parametrize("kernel", [Kernel("phi"), Kernel("eta"), Kernel("X")], ids=str)
def test_two_things_of_one_name_are_refused(kernel):
    with pytest.raises(ValueError, match=r"calls two things .* every parameter, extra and arbitrary function needs"):
        prove(OnFeatures(step_sizes=[1], kernel=kernel))


def test_a_map_is_printed_and_has_no_block_to_mutate():
    run = SymbolicRun(OnFeatures(step_sizes=[1]))
    assert {mutation.weight for mutation in mutations(run.construction, run.prompt)} == {
        "key",
        "query",
        "value",
        "mask",
    }
    assert "phi(x) of every token, added to the tokens in slot f" in described(OnFeatures(step_sizes=[1]))


def test_a_map_has_no_weights_to_export():
    with pytest.raises(TypeError, match="a TokenFunction has no dense weights to export; write it as an MLP"):
        export(OnFeatures(step_sizes=[1], features=SIGNED), Prompt([[1]], [[1]], [[1]]))


def test_kernels_and_maps_say_what_they_are():
    assert [str(Kernel("kappa")), str(Kernel("theta", symmetric=False)), str(SIGNED)] == [
        "any symmetric kernel kappa",
        "any kernel theta",
        "signed",
    ]
