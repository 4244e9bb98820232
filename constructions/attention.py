"""Attention: heads that move information between tokens.

A head sends token j the update ``projection sum_i (value e_i) score(key e_i, query e_j)``, the sum over the keys that
its mask allows. All of it is written over blocks, so that zero blocks cost nothing and identities are never
multiplied; for linear attention the cheaper of (V K^T) Q and V (K^T Q) is taken, V K^T is computed once, and a scalar
waits until it meets that product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Rational
from typing import TypeAlias

from constructions.block import Block, Kernel, Size, Zero, materialised, softmax
from constructions.scalars import Scalar, exact, is_one, one_if_at_most
from constructions.stream import Stream
from constructions.weights import Weight

Pattern: TypeAlias = Callable[[int, int], "bool | Scalar"]
"""(key position, query position) -> whether the one token is a key for the other, or with which exact weight."""


def causal(key_position: int, query_position: int) -> Scalar:
    """The causal mask: a token attends to itself and to those before it."""
    return one_if_at_most(key_position, query_position)


@dataclass(frozen=True)
class Mask:
    """Which tokens are keys for which.

    Args:
        keys: the key groups, for all queries alike or by query group (a group left out attends to nothing); None
            means all groups.
        pattern: a further condition on the positions of key and query, such as ``causal``. In place of a bool it may
            give a weight, an int or a Fraction that the score is multiplied by, such as 1 / t for the mean over t keys;
            a softmax knows no such weights. For symbols it is a letter, so it must be a function of a module there.

    A token without a key gets nothing, under a softmax too.
    """

    keys: tuple[str, ...] | Mapping[str, tuple[str, ...]] | None = None
    pattern: Pattern | None = None

    def key_groups(self, stream: Stream, query_group: str) -> tuple[str, ...]:
        """The groups that are keys for a query group."""
        if self.keys is None:
            return tuple(stream.groups)
        keys = self.keys.get(query_group, ()) if isinstance(self.keys, Mapping) else self.keys
        for group in (*keys, *(self.keys if isinstance(self.keys, Mapping) else ())):
            if group not in stream.groups:
                raise ValueError(f"the mask names the group {group!r}, but the stream has {list(stream.groups)}")
        return keys

    def block(self, stream: Stream, key_group: str, query_group: str, *, weighted: bool = True) -> Block | None:
        """The block (keys, queries) of the pattern's weights on a pair of groups, or None if it allows every pair.

        Raises:
            TypeError, ValueError: as for ``weight``.
        """
        if self.pattern is None:
            return None
        positions = stream.positions()
        (first_key, key_stride), (first_query, query_stride) = positions[key_group], positions[query_group]
        sizes, name = (stream.groups[key_group], stream.groups[query_group]), _name_of(self.pattern)

        def allowed(i: int, j: int) -> Scalar:
            return self.weight(first_key + key_stride * i, first_query + query_stride * j, weighted=weighted)

        if name is None:
            return stream.like().fill(*sizes, allowed)
        at = _position("i", first_key, key_stride), _position("j", first_query, query_stride)
        return stream.like().given(f"{name}[{at[0]}, {at[1]}]", *sizes, allowed, opaque=_rule_of(self.pattern))

    def weight(self, key_position: int, query_position: int, *, weighted: bool = True) -> Scalar:
        """What the pattern multiplies the score of a key by: 1 or 0 if it gives a bool.

        Raises:
            TypeError: if the pattern gives anything but a bool, an int or a Fraction.
            ValueError: if it gives another weight than 0 or 1, but ``weighted`` is False.
        """
        weight = True if self.pattern is None else self.pattern(key_position, query_position)
        if hasattr(weight, "one_if_equal"):
            return weight  # an unknown number, in a proof
        if not isinstance(weight, Rational):
            raise TypeError(
                f"the pattern of a mask gives {weight!r} for the key at {key_position} and the query at "
                f"{query_position}: it must be a bool, an int or a Fraction"
            )
        if not weighted and weight not in (0, 1):
            raise ValueError(
                f"the pattern of a mask gives the weight {weight} for the key at {key_position} and the query at "
                f"{query_position}, but a softmax has weights of its own: the pattern must give a bool there"
            )
        return exact(int(weight) if isinstance(weight, bool) else weight)


def _name_of(pattern: Pattern) -> str | None:
    """A name that no other pattern has; None for a lambda, a closure or an instance, of which there may be many."""
    name, module = getattr(pattern, "__qualname__", "<unnamed>"), getattr(pattern, "__module__", None)
    if "<" in name or module is None:
        return None
    return name if module == __name__ else f"{module}.{name}"


def _rule_of(pattern: Pattern) -> tuple[object, object]:
    """What tells a pattern from others: the function, and what it is bound to."""
    return getattr(pattern, "__func__", pattern), getattr(pattern, "__self__", None)


def _position(index: str, first: Size, stride: int) -> str:
    """The position first + stride * index, written."""
    moving = index if stride == 1 else f"{stride} {index}"
    return moving if isinstance(first, int) and first == 0 else f"{first} + {moving}"


EVERY_TOKEN = Mask()
"""Every token is a key for every token."""

Update: TypeAlias = dict[tuple[str, str], Block]
"""Blocks by (slot, group): what a part of a layer adds to the stream."""

Score: TypeAlias = str | Kernel
"""``"linear"``, ``"relu"``, ``"exp"``, ``"softmax"``, or a kernel of (keys, queries)."""


@dataclass(frozen=True)
class Head:
    """One attention head.

    Args:
        key: W_K, slots of the token -> slots of the key space.
        query: W_Q, slots of the token -> slots of the key space.
        value: W_V, slots of the token -> slots of the value.
        projection: P, slots of the value -> slots of the token; None is the identity.
        score: what is done with key^T query, summed over all key slots first; softmax is normalised over all the
            keys of a query; a kernel takes the keys and the queries themselves.
        factor: every score is multiplied by it: 1 / nu for a normaliser nu.
        mask: which tokens are keys for which.
    """

    key: Weight
    query: Weight
    value: Weight
    projection: Weight | None = None
    score: Score = "linear"
    factor: Scalar = 1
    mask: Mask = field(default=EVERY_TOKEN)

    def __post_init__(self) -> None:
        if not isinstance(self.score, Kernel) and self.score not in ("linear", "relu", "exp", "softmax"):
            raise ValueError(f"score = {self.score!r}: it must be 'linear', 'relu', 'exp', 'softmax' or a Kernel")
        if isinstance(self.score, Kernel) and not self.key and not self.query:
            raise ValueError(f"the kernel {self.score.name!r} needs a key or a query, but both weights are zero")

    def update(self, stream: Stream) -> Update:
        """What the head adds to the stream."""
        return self.added_to({}, stream)

    def added_to(self, total: Update, stream: Stream) -> Update:
        """The total, with what the head adds to the stream added to it."""
        asked = {group: self.mask.key_groups(stream, group) for group in stream.groups}
        key_groups = [group for group in stream.groups if any(group in keys for keys in asked.values())]
        keys = {group: self.key(stream.tokens(group)) for group in key_groups}
        queries = {group: self.query(stream.tokens(group)) for group in stream.groups if asked[group]}
        _require_equal_rows(keys, queries)
        is_linear = self.score == "linear" and self.mask.pattern is None
        attention = self._linear_attention if is_linear else self._scored_attention
        if self.projection is None:
            return attention(total, stream, keys, queries, asked)
        gathered: dict[str, dict[str, Block]] = {}
        for (slot, group), block in attention({}, stream, keys, queries, asked).items():
            gathered.setdefault(group, {})[slot] = block
        added = dict(total)
        for group, token in gathered.items():
            for slot, block in self.projection(token).items():
                _add(added, (slot, group), block)
        return added

    def _scored_attention(
        self,
        total: Update,
        stream: Stream,
        keys: Mapping[str, Mapping[str, Block]],
        queries: Mapping[str, Mapping[str, Block]],
        asked: Mapping[str, tuple[str, ...]],
    ) -> Update:
        values = {group: self.value(stream.tokens(group)) for group in keys}
        gathered: Update = {}
        for group, query in queries.items():
            scores = self._scores(stream, {key_group: keys[key_group] for key_group in asked[group]}, group, query)
            for key_group, score in scores.items():
                for slot, value in values[key_group].items():
                    _add_product(gathered, (slot, group), value, score)
        added = dict(total)
        for place, block in gathered.items():
            _add(added, place, block.scale(self.factor))
        return added

    def _linear_attention(
        self,
        total: Update,
        stream: Stream,
        keys: Mapping[str, Mapping[str, Block]],
        queries: Mapping[str, Mapping[str, Block]],
        asked: Mapping[str, tuple[str, ...]],
    ) -> Update:
        added = dict(total)
        for key_group, key in keys.items():
            if not key:
                continue
            asking = [group for group in queries if key_group in asked[group]]
            tokens, asked_tokens = stream.groups[key_group], sum(stream.groups[group] for group in asking)
            for value_slot, (scalar, value) in self.value.factored(stream.tokens(key_group)).items():
                factor = scalar * self.factor
                for key_slot, key_block in key.items():
                    answered = [group for group in asking if key_slot in queries[group]]
                    if not answered:
                        continue
                    outer_first = _is_cheaper_outer_first(value.rows, key_block.rows, tokens, asked_tokens)
                    outer = (value @ key_block.T).scale(factor) if outer_first else None
                    for group in answered:
                        query, place = queries[group][key_slot], (value_slot, group)
                        if outer is not None:
                            _add_product(added, place, outer, query)
                        else:
                            _add_product(added, place, value, (key_block.T @ query).scale(factor))
        return added

    def _scores(
        self, stream: Stream, keys: Mapping[str, Mapping[str, Block]], group: str, query: Mapping[str, Block]
    ) -> dict[str, Block]:
        """The score blocks (keys, queries) of one query group, by key group."""
        like, size = stream.like(), stream.groups[group]
        weighted = self.score != "softmax"
        patterns = {key_group: self.mask.block(stream, key_group, group, weighted=weighted) for key_group in keys}
        if isinstance(self.score, Kernel):
            space = self._key_space(stream)
            columns = _stacked(query, space, size, like)
            scores = {
                key_group: _stacked(key, space, stream.groups[key_group], like).kernel(columns, self.score)
                for key_group, key in keys.items()
            }
        else:
            scores = {
                key_group: _inner_products(key, query, stream.groups[key_group], size)
                for key_group, key in keys.items()
            }
        if self.score == "softmax":
            return dict(zip(scores, _softmax(list(scores.values()), list(patterns.values()), like), strict=True))
        if self.score == "relu":
            scores = {key_group: score.relu() for key_group, score in scores.items()}
        elif self.score == "exp":
            scores = {key_group: materialised(score, like).exp() for key_group, score in scores.items()}
        return {
            key_group: score if (pattern := patterns[key_group]) is None else score.hadamard(pattern)
            for key_group, score in scores.items()
        }

    def _key_space(self, stream: Stream) -> dict[str, Size]:
        """The slots that the key and the query map into, and their sizes."""
        return {
            slot_out: block.rows if isinstance(block, Block) else stream.slots[slot_in]
            for weight in (self.query, self.key)
            for (slot_out, slot_in), block in weight.items()
        }


def _is_cheaper_outer_first(value_rows: Size, key_rows: Size, keys: Size, queries: Size) -> bool:
    """Whether (V K^T) Q takes no more multiplications than V (K^T Q); true for symbolic sizes, where both are equal."""
    outer_first = value_rows * key_rows * (keys + queries)
    inner_first = keys * queries * (value_rows + key_rows)
    return bool(outer_first <= inner_first) if isinstance(outer_first, int) and isinstance(inner_first, int) else True


def _inner_products(keys: Mapping[str, Block], queries: Mapping[str, Block], rows: Size, columns: Size) -> Block:
    total: Block = Zero(rows, columns)
    for slot, key in keys.items():
        if slot in queries:
            total = total + key.T @ queries[slot]
    return total


def _stacked(token: Mapping[str, Block], space: Mapping[str, Size], columns: Size, like: Block) -> Block:
    """The whole key (or query) vectors of a group, the slots of the key space one above the other."""
    first, *rest = (token.get(slot, Zero(size, columns)) for slot, size in space.items())
    return materialised(first.above(*rest) if rest else first, like)


def _softmax(scores: Sequence[Block], patterns: Sequence[Block | None], like: Block) -> tuple[Block, ...]:
    """The softmax over the allowed keys; zero for a query that has none, where it would be 0 / 0."""
    allowed = [pattern for pattern in patterns if pattern is not None]
    if len(allowed) < len(scores):
        return softmax(scores, patterns, like)
    idle = like.ones(1, scores[0].columns)
    for pattern in allowed:
        idle = idle - pattern.ones(1, pattern.rows) @ pattern
    idle = idle.relu()
    defined = [(pattern + pattern.ones(pattern.rows, 1) @ idle).restarted() for pattern in allowed]
    has_a_key = like.ones(1, idle.columns) - idle
    kept = [(pattern.ones(pattern.rows, 1) @ has_a_key).restarted() for pattern in allowed]
    weights = softmax(scores, defined, like)
    return tuple(weight.hadamard(each) for weight, each in zip(weights, kept, strict=True))


def _add(total: Update, place: tuple[str, str], block: Block) -> None:
    try:
        total[place] = total[place] + block if place in total else block
    except ValueError as error:
        raise _misfit(place, error) from error


def _add_product(total: Update, place: tuple[str, str], left: Block, right: Block) -> None:
    try:
        total[place] = total[place].plus_product(left, right) if place in total else left @ right
    except ValueError as error:
        raise _misfit(place, error) from error


def _misfit(place: tuple[str, str], error: ValueError) -> ValueError:
    return ValueError(f"what is added to slot {place[0]!r} of group {place[1]!r} does not fit: {error}")


def _require_equal_rows(keys: Mapping[str, Mapping[str, Block]], queries: Mapping[str, Mapping[str, Block]]) -> None:
    """Refuses keys and queries of which no inner product is possible.

    Raises:
        ValueError: if a slot of the key space has another number of rows in a key than in a query.
    """
    for key in keys.values():
        for query in queries.values():
            for slot, block in key.items():
                if slot in query and query[slot].rows != block.rows:
                    raise ValueError(
                        f"slot {slot!r} of the key space has {block.rows} rows in the keys, but {query[slot].rows} in "
                        "the queries"
                    )


def is_unscaled(head: Head) -> bool:
    """Whether the head's factor is one."""
    return is_one(head.factor)
