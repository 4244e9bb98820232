"""Families: the networks that run one algorithm, side by side; everything is counted from their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from constructions.attention import EVERY_TOKEN, Head
from constructions.block import Block
from constructions.layer import Attention, Layer, TokenMap
from constructions.notation import Notation, keys_written
from constructions.stages import Loop, Single
from proofs.construction_theorem import ConstructionTheorem
from proofs.formula import plain
from proofs.induction import SymbolicRun
from proofs.symbols import layer_index
from proofs.theorem import Theorem

COLUMNS = ("layers", "width", "tokens", "keys", "layer of the loop", "query, key", "start", "0 < . < 2", "assumes")
"""What is said of a network, beside the name of its theorem."""


def families(theorems: Iterable[Theorem]) -> dict[str, list[ConstructionTheorem]]:
    """The theorems about networks of one family, by its name."""
    found: dict[str, list[ConstructionTheorem]] = {}
    for theorem in theorems:
        if isinstance(theorem, ConstructionTheorem) and theorem.prototype.family is not None:
            found.setdefault(theorem.prototype.family, []).append(theorem)
    return found


def family_lines(name: str, theorems: Iterable[ConstructionTheorem]) -> Iterator[str]:
    """The comparison of a family's networks, a line each; names come last and are never cut."""
    rows = [(*compared(theorem).values(), theorem.name) for theorem in theorems]
    table = [(*COLUMNS, "theorem"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    yield f"The networks of the family {name}, counted from their weights; k loops, n examples, d features, m targets"
    yield ""
    for row in table:
        yield "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]])
    yield ""
    yield "keys: which tokens are attended to, where a mask leaves some out"
    yield "layer of the loop: its heads, and what follows them; looped: all k layers are one set of weights"
    yield "query, key: the slots that its heads read"
    yield (
        "0 < . < 2: where the eigenvalues of this matrix that are not 0 lie, if and only if the algorithm converges to "
        "least squares (of minimum norm) for all targets"
    )
    yield "assumes: what the claim itself assumes, that the network runs the algorithm; its parameters are any numbers"


def compared(theorem: ConstructionTheorem) -> dict[str, str]:
    """What is said of one network, by column."""
    run = SymbolicRun(theorem.prototype)
    construction, prompt = run.construction, run.prompt
    stream, stages = construction.embed(prompt), construction.stages(prompt)
    loops = [stage for stage in stages if isinstance(stage, Loop)]
    layers: Any = sum((stage.times if isinstance(stage, Loop) else 1 for stage in stages), start=0)
    initial, within = construction.initial(prompt), construction.converges_within_two(prompt)
    start = initial if isinstance(initial, Block) else initial[0]
    write = Notation("text", stream)
    return dict(
        zip(
            COLUMNS,
            (
                _size(layers),
                _size(sum(stream.slots.values())),
                _size(sum(stream.groups.values())),
                _keys(stages),
                "; ".join(_contents(loop, write) for loop in loops),
                "; ".join(dict.fromkeys(_reads(head) for loop in loops for head in _heads(loop.layer(layer_index())))),
                write.normal_form(start),
                "" if within is None else write.normal_form(within),
                ", ".join(relation.name for relation in run.hypotheses) or "nothing",
            ),
            strict=True,
        )
    )


def _size(size: Any) -> str:
    return plain(size)


def _heads(layer: Any) -> list[Head]:
    parts = layer.sublayers if isinstance(layer, Layer) else ()
    return [head for part in parts if isinstance(part, Attention) for head in part.heads]


def _keys(stages: Iterable[Any]) -> str:
    """Which tokens are keys, in the layers that leave some out."""
    layers = [stage.layer if isinstance(stage, Single) else stage.layer(layer_index()) for stage in stages]
    masks = [head.mask for layer in layers for head in _heads(layer) if head.mask != EVERY_TOKEN]
    return "; ".join(dict.fromkeys(keys_written(mask).removeprefix("keys: ") for mask in masks)) or "every token"


def _contents(loop: Loop, write: Notation) -> str:
    """The heads of a loop's layer by their scores, the sublayers after them, and whether its weights are shared."""
    layer = loop.layer(layer_index())
    scores = Counter(head.score if isinstance(head.score, str) else head.score.name for head in _heads(layer))
    parts = [f"{many} {score}" for score, many in scores.items()]
    for part in layer.sublayers if isinstance(layer, Layer) else ():
        if not isinstance(part, Attention):
            parts.append("map" if isinstance(part, TokenMap) else type(part).__name__)
    written, another = (list(write.layer(loop.layer(layer_index(name)))) for name in ("l", "k"))
    return " + ".join(parts) + (", looped" if written == another else "")


def _reads(head: Head) -> str:
    return ", ".join("+".join(dict.fromkeys(slot for _, slot in weight)) for weight in (head.query, head.key))
