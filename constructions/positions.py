"""Positions of an interleaved prompt, and the head that reads the token before; both exact.

Symbols: n examples; the prompt is x_1, y_1, ..., x_n, y_n, x_query: 2 n + 1 tokens, position t = 0, ..., 2 n. Its
groups are inputs (t = 2 i), targets (t = 2 i + 1), i from 0, and query (t = 2 n).

A position is the rational code (1, t, t^2), and the score ReLU(1 - (t - 1 - j)^2) is 1 if token j stands just before
token t and 0 otherwise, since 1 - z^2 <= 0 for every integer z but 0.

Reference: Fu et al. (2024), Proposition B.4 (after Akyurek et al. 2023), whose move is approximate.
"""

from collections.abc import Callable

from constructions.attention import Head
from constructions.block import Block, Size, Zero
from constructions.scalars import Scalar, one_if_equal
from constructions.stages import Relation
from constructions.weights import Weight

GROUPS = ("inputs", "targets", "query")
ORDER = (("inputs", "targets"), "query")
"""The groups of the interleaved prompt, and its order of tokens."""

POSITION = ("one", "p", "pp")
"""The slots of the position code (1, t, t^2)."""


def positions(like: Block, n: Size) -> dict[tuple[str, str], Block]:
    """The codes (1, t, t^2) of every token, (slot, group) -> row, in the kind of number of ``like``."""
    codes: dict[tuple[str, str], Block] = {}

    def add(group: str, size: Size, t: Callable[[int], Scalar]) -> None:
        codes["one", group] = like.ones(1, size)
        codes["p", group] = like.given(f"p_{group}", 1, size, lambda _, i: t(i))
        codes["pp", group] = like.given(f"pp_{group}", 1, size, lambda _, i: t(i) ** 2)

    add("inputs", n, lambda i: 2 * i)
    add("targets", n, lambda i: 2 * i + 1)
    add("query", 1, lambda i: 2 * n)
    return codes


def previous_token(values: dict[tuple[str, str], Scalar]) -> Head:
    """A ReLU head that adds slots of the token before, (slot out, slot in) -> multiple of the identity.

    1 - (t - 1 - j)^2 = 1 * (2 t - t^2) + j * (2 t - 2) + j^2 * (-1).
    """
    return Head(
        key=Weight({(slot, slot): 1 for slot in POSITION}),
        query=Weight({("one", "p"): 2, ("one", "pp"): -1, ("p", "p"): 2, ("p", "one"): -2, ("pp", "one"): -1}),
        value=Weight(values),
        score="relu",
    )


def previous_token_scores(like: Block, n: Size) -> tuple[Relation, ...]:
    """What the head's weights make of every pair of groups: y_i after x_i, x_(i+1) after y_i, the query after y_n."""
    codes, head = positions(like, n), previous_token({})
    selected: dict[tuple[str, str], Block] = {
        ("inputs", "targets"): like.identity(n),
        ("targets", "inputs"): like.given("shift", n, n, lambda i, j: one_if_equal(i, j - 1)),
        ("targets", "query"): like.given("last", n, 1, lambda i, _: one_if_equal(i, n - 1)),
    }
    relations = []
    for key_group in GROUPS:
        for query_group in GROUPS:
            key = head.key({slot: codes[slot, key_group] for slot in POSITION})
            query = head.query({slot: codes[slot, query_group] for slot in POSITION})
            score = sum((key[slot].T @ query[slot] for slot in POSITION[1:]), key["one"].T @ query["one"])
            right = selected.get((key_group, query_group), Zero(*score.shape))
            relations.append(Relation(f"previous token, {key_group} to {query_group}", score.relu(), right))
    last = selected["targets", "query"]
    relations.append(Relation("the last token is one token", like.ones(1, n) @ last, like.identity(1)))
    return tuple(relations)
