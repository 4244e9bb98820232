"""Decoding: the last column of a full forward pass is appended as a token, and nothing else changes."""

import weakref
from dataclasses import dataclass, replace

import numpy as np
import pytest

from constructions.attention import Head, Mask, causal
from constructions.block import Kernel, Zero, compare
from constructions.chain_of_thought import ChainOfThought
from constructions.comparison import Verdict
from constructions.construction import forward, streams
from constructions.decoding import Decoding, layer_in, with_layer
from constructions.dense import dense_forward, dense_layer, export
from constructions.layer import MLP, Attention, Layer, TokenMap
from constructions.parameters import parameters
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.balls import BallBlock
from numerics.check import check
from numerics.mutations import Mutation, mutations, weight_blocks
from numerics.rationals import RationalBlock
from proofs.induction import SymbolicRun, prove

ONE = [[1]]


def weight(rng, kind, slots, scale=1):
    """A random weight of every block between the slots."""

    def block(rows, columns):
        return kind.lift([[1] * columns] * rows).fill(rows, columns, lambda i, j: int(rng.integers(-2, 3)) * scale)

    return Weight({(a, b): block(rows, columns) for a, rows in slots.items() for b, columns in slots.items()})


def random_stream(rng, kind, past):
    like, slots, groups = kind.lift(ONE), {"x": 2, "y": 1}, {"data": 3, "past": past, "last": 1}
    blocks = {
        (slot, group): like.fill(rows, columns, lambda i, j: int(rng.integers(-2, 3)))
        for slot, rows in slots.items()
        for group, columns in groups.items()
        if columns
    }
    return Stream(slots, groups, blocks)


def random_attention(rng, kind, heads=1, skip=True, **options):
    slots = {"x": 2, "y": 1}
    made = (Head(*(weight(rng, kind, slots) for _ in range(3)), **options) for _ in range(heads))
    return Attention(*made, skip=skip)


LAYERS = {
    "one linear head": lambda rng, kind: Layer(random_attention(rng, kind)),
    "two heads": lambda rng, kind: Layer(random_attention(rng, kind, heads=2)),
    "two attention sublayers": lambda rng, kind: Layer(*(random_attention(rng, kind) for _ in range(2))),
    "an MLP after attention": lambda rng, kind: Layer(
        random_attention(rng, kind), MLP(*(weight(rng, kind, {"x": 2, "y": 1}) for _ in range(2)))
    ),
    "attention after a map": lambda rng, kind: Layer(
        TokenMap(weight(rng, kind, {"x": 2, "y": 1})), random_attention(rng, kind)
    ),
    "no skip connection": lambda rng, kind: Layer(random_attention(rng, kind, skip=False)),
    "a causal mask": lambda rng, kind: Layer(random_attention(rng, kind, mask=Mask(pattern=causal))),
    "keys for some tokens only": lambda rng, kind: Layer(random_attention(rng, kind, mask=Mask({"data": ("data",)}))),
    "past tokens as the only keys": lambda rng, kind: Layer(random_attention(rng, kind, mask=Mask(("past",)))),
    "no sublayer": lambda rng, kind: Layer(),
    "relu scores": lambda rng, kind: Layer(random_attention(rng, kind, score="relu")),
}


def equal(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


def with_last_column(H, made):
    """[H, made[:, last]]"""
    return H.beside(made @ made.fill(made.columns, 1, lambda i, _: int(i == made.columns - 1)))


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("past", [0, 2])
def test_the_generated_token_is_the_last_column_of_the_full_forward_pass(make, past):
    rng = np.random.default_rng(past)
    layer, stream = make(rng, RationalBlock), random_stream(rng, RationalBlock, past)
    for number in range(3):
        H = stream.dense()
        expected = with_last_column(H, dense_layer(layer, stream, H))
        stream = Decoding(layer)(stream)
        assert stream.groups == {"data": 3, "past": past + number + 1, "last": 1}
        assert equal(stream.dense(), expected)


def test_a_softmax_layer_generates_the_last_column_too():
    rng = np.random.default_rng(0)
    layer = Layer(random_attention(rng, BallBlock, score="softmax"))
    stream = random_stream(rng, BallBlock, 1)
    expected = with_last_column(stream.dense(), dense_layer(layer, stream))
    assert equal(Decoding(layer)(stream).dense(), expected)


def test_only_the_last_token_asks_in_the_last_sublayer():
    """What makes k tokens cost k^2 and not k^3: the number of queries does not grow with the prompt."""
    asked = []

    def gram(keys, queries):
        asked.append(queries.columns)
        return keys.T @ queries

    rng = np.random.default_rng(1)
    layer = Layer(random_attention(rng, RationalBlock, score=Kernel("recording", gram)))
    stream = random_stream(rng, RationalBlock, 0)
    for _ in range(4):
        stream = Decoding(layer)(stream)
    assert set(asked) == {1}


def test_a_slot_that_no_generated_token_has_stays_empty():
    stream = random_stream(np.random.default_rng(2), RationalBlock, 0)
    stream = replace(stream, blocks={place: block for place, block in stream.blocks.items() if place[0] != "y"})
    after = Decoding(Layer())(stream)
    assert ("y", "past") not in after.blocks
    assert isinstance(after["y", "past"], Zero)
    assert after["y", "past"].shape == (1, 1)


@pytest.mark.parametrize(
    ("groups", "order"),
    [
        ({"data": 3, "past": 0, "last": 2}, ()),
        ({"data": 3, "last": 1, "past": 0}, ()),
        ({"data": 3, "last": 1}, ()),
        ({"data": 3, "past": 1, "last": 1}, ("past", "data", "last")),
        ({"data": 3, "past": 1, "last": 1}, ("data", ("past", "last"))),
    ],
)
def test_a_stream_that_does_not_end_with_past_and_last_is_refused(groups, order):
    stream = Stream({"x": 2}, groups, {("x", "data"): RationalBlock.lift([[1, 2, 3]] * 2)}, order)
    with pytest.raises(ValueError, match="decoding needs a stream whose order ends with the groups 'past' and 'last'"):
        Decoding(Layer())(stream)


def test_other_names_of_the_groups_are_taken():
    stream = Stream({"x": 1}, {"thoughts": 0, "end": 1}, {("x", "end"): RationalBlock.lift([[3]])})
    decoding = Decoding(Layer(TokenMap(Weight({("x", "x"): 1}))), last="end", past="thoughts")
    after = decoding(decoding(stream))
    assert equal(after.dense(), RationalBlock.lift([[3, 6, 12]]))


# What the rest of the core sees of it.


def test_layer_in_is_the_layer_that_has_the_weights():
    layer = Layer(TokenMap(Weight({("x", "x"): 1})))
    assert layer_in(layer) is layer
    assert layer_in(Decoding(layer)) is layer
    assert layer_in(lambda stream: stream) is None


def test_with_layer_keeps_what_is_around_the_layer():
    old, new = Layer(), Layer(TokenMap(Weight({("x", "x"): 1})))
    assert with_layer(Decoding(old, last="end"), new) == Decoding(new, last="end")
    assert with_layer(old, new) is new


def test_mutations_reach_the_weights_inside():
    run = SymbolicRun(ChainOfThought(eta=1, tokens=1, w_0=ONE))
    found = list(mutations(run.construction, run.prompt))
    assert {("query", ("x", "w")), ("query", ("y", "one")), ("value", ("w", "x"))} < {
        (m.weight, m.block) for m in found
    }
    decoding = run.construction.layer(0, run.prompt)
    changed = Mutation(0, 0, 0, "query", ("y", "one"), "deleted")(0, decoding)
    assert isinstance(changed, Decoding)
    assert dict(changed.layer.sublayers[0].heads[0].query) == {("x", "w"): 1}


def test_the_weights_inside_are_listed():
    run = SymbolicRun(ChainOfThought(eta=1, tokens=1))
    places = [place for place, _ in weight_blocks(run.construction.layer(0, run.prompt))]
    assert "sublayer 1, head 1, value, block w <- x" in places
    assert list(weight_blocks(lambda stream: stream)) == []


@dataclass(frozen=True, kw_only=True, repr=False)
class WeightsFromData(ChainOfThought):
    """A network that hides X X^T in its weights."""

    def layer(self, l, prompt):
        (attention,) = super().layer(l, prompt).layer.sublayers
        head = replace(attention.heads[0], value=Weight({("w", "x"): prompt.X @ prompt.X.T}))
        return Decoding(Layer(Attention(head)))


def test_weights_inside_that_depend_on_the_data_are_refused():
    with pytest.raises(ValueError, match=r"the weights depend on the data: .*value, block w <- x contains X"):
        prove(WeightsFromData(eta=1, tokens=1))


def test_the_dense_twin_appends_the_last_column():
    """The dense run multiplies full matrices: another route than the one over blocks."""
    construction = ChainOfThought(eta=2, tokens=3, w_0=[[1], [2]])
    prompt = Prompt([[1, 2], [0, 1]], [[3, -1]], [[1], [1]])
    runs = zip(streams(construction, prompt), dense_forward(construction, prompt), strict=True)
    for number, (stream, H) in enumerate(runs):
        assert H.columns == 2 + 1 + number
        assert equal(stream.dense(), H)


def test_dense_weights_inside_are_exported_for_every_token():
    prompt = Prompt([[1, 2]], [[3, -1]], [[1]])
    weights = export(ChainOfThought(eta=2, tokens=2), prompt)
    minus_eta = weights["layer_1.attention_0.head_0.W_V"].tolist()
    assert minus_eta == [[0, 0, 0, 0], [0, 0, 0, 0], [-2, 0, 0, 0], [0, 0, 0, 0]]
    assert weights["layer_0.attention_0.head_0.mask"].shape == (3, 3)
    assert weights["layer_1.attention_0.head_0.mask"].shape == (4, 4)


def test_decoding_is_said_in_print():
    text = str(ChainOfThought(eta=1, tokens=1))
    assert "generates a token: the last column of the output is appended, all others are dropped" in text
    assert "past <- beside(past, w)" in text


def test_a_long_run_does_not_hold_all_of_its_streams(monkeypatch):
    made, original = [], Decoding.__call__

    def watched(self, stream):
        generated = original(self, stream)
        made.append(weakref.ref(generated))
        assert sum(reference() is not None for reference in made) <= 3
        return generated

    monkeypatch.setattr(Decoding, "__call__", watched)
    forward(ChainOfThought(eta=0.5, tokens=20), Prompt(np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1))))
    assert len(made) == 20


# Claims of a loop that lengthens its iterate.


@dataclass(frozen=True, kw_only=True, repr=False)
class PastInTheWrongOrder(ChainOfThought):
    """Claims that a token which joins the past becomes the first of it."""

    def step(self, l, iterate, prompt):
        following = super().step(l, iterate, prompt)
        return following._replace(past=iterate.w.beside(iterate.past))


@dataclass(frozen=True, kw_only=True, repr=False)
class GrowsByTwo(ChainOfThought):
    """Says that the past grows by two columns a step."""

    def stages(self, prompt):
        (loop,) = super().stages(prompt)
        return (replace(loop, grows={"past": 2}),)


def test_claims_about_the_past_that_are_false_are_not_proved():
    open_claims = {(i.claim.slot, i.claim.group) for i in prove(PastInTheWrongOrder(eta=1, tokens=1)).undecided}
    assert open_claims == {("w", "past")}


def test_a_loop_that_grows_otherwise_than_it_says_is_refused():
    with pytest.raises(ValueError, match="a step of a loop changes the iterate's shapes"):
        check(GrowsByTwo(eta=1, tokens=1), Prompt([[1]], [[1]], [[1]]))


def test_growth_of_what_the_iterate_does_not_have_is_refused():
    run = SymbolicRun(ChainOfThought(eta=1, tokens=1))
    (loop,) = run.construction.stages(run.prompt)
    with pytest.raises(TypeError, match=r"the loop says that \['future'\] of the iterate grow, but its blocks have"):
        replace(loop, grows={"future": 1}).lengthened(run.construction.initial(run.prompt), 1)
    with pytest.raises(TypeError, match="but its blocks have no names"):
        loop.lengthened(run.prompt.X, 1)


def test_the_proof_covers_a_symbolic_number_of_tokens():
    claims = list(SymbolicRun(ChainOfThought(eta=1, tokens=1, w_0=ONE)).claims())
    past = [claim for claim in claims if (claim.kind, claim.slot, claim.group) == ("step", "w", "past")]
    assert [str(claim.left.columns) for claim in past] == ["l + 1"]
    assert str(claims[-1].layer) == "k"


# Streams and parameters of the sizes that decoding needs.


def test_a_group_may_be_empty_and_then_holds_nothing():
    empty = RationalBlock.lift([[1]]).ones(2, 0)
    stream = Stream(
        {"x": 2}, {"past": 0, "last": 1}, {("x", "past"): empty, ("x", "last"): RationalBlock.lift([[1], [2]])}
    )
    assert ("x", "past") not in stream.blocks
    assert equal(stream.dense(), RationalBlock.lift([[1], [2]]))


@pytest.mark.parametrize("empty", [Zero(2, 0), RationalBlock.lift([[1]]).ones(2, 0)], ids=["Zero", "of a kind"])
def test_a_block_without_columns_adds_nothing_beside_another(empty):
    A = RationalBlock.lift([[1], [2]])
    assert equal(empty.beside(A, empty, A), RationalBlock.lift([[1, 1], [2, 2]]))
    assert empty.beside(empty).shape == (2, 0)


def test_a_parameter_may_have_a_size_that_is_a_number():
    declared = parameters(ChainOfThought)["w_0"]
    assert (declared.rows, declared.columns) == ("d", 1)
    assert declared.shape(Prompt([[1], [2]], [[3]], [[1], [1]]).lifted()) == (2, 1)
