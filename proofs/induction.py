"""The induction engine: it proves any construction, for all sizes and any number of layers, without knowing it.

The prompt and the parameters become letters of unspecified size and the layer index a symbol; the one forward pass is
run on them. What is proved is that the embedding is the state of the initial iterate (base), that one layer takes the
state of an arbitrary iterate to the state of the next (step), and that the read-out of a state is the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from constructions.block import Block, Size, Zero
from constructions.claims import Claim, claims
from constructions.construction import Construction
from constructions.parameters import generic, generic_prompt, lifted, parameters
from constructions.prompt import Prompt
from constructions.stages import Iterate, Relation
from proofs import words
from proofs.formula import sum_written
from proofs.proof import Assumption, Identity, Proof
from proofs.rewriting import Rule, reduced, rule
from proofs.symbols import SymbolBlock, layer_index
from proofs.words import Sum

ASSUMED = ("hypothesis", "lemma")
"""The kinds of claim that a proof uses and does not prove."""


class SymbolicRun:
    """A construction and its prompt as letters, with the rewriting rules that hold of them.

    The rules grow as the run goes on: a relation may be used once an arbitrary iterate is assumed to satisfy it.
    """

    def __init__(self, construction: Construction) -> None:
        _require_distinct_names(construction)
        self.prompt: Prompt = generic_prompt(construction).lifted(SymbolBlock)
        self.construction = lifted(generic(construction), SymbolBlock, self.prompt)
        self.hypotheses = (*self.construction.hypotheses(self.prompt), *self.construction.lemmas(self.prompt))
        self.relations: tuple[Relation, ...] = ()
        self._assumed = [_rule(relation) for relation in self.hypotheses]
        self.rules: list[Rule] = self._assumed
        self._fresh = 0

    def restart(self) -> None:
        """Forgets the arbitrary iterates of a run, before another."""
        self.relations, self.rules, self._fresh = (), self._assumed, 0

    def arbitrary(self, iterate: Iterate) -> Iterate:
        """Fresh letters of the iterate's shape, assumed to satisfy its relations."""
        if isinstance(iterate, Block):
            fresh: Any = _fresh_letter(self.construction.iterate_symbol, iterate)
        else:
            fresh = type(iterate)(*map(_fresh_letter, iterate._fields, iterate))
        self.relations = self.construction.relations(fresh, self.prompt)
        self.rules = [*self._assumed, *(_rule(relation) for relation in self.relations)]
        return fresh

    def anything(self, rows: Size, columns: Size) -> Block:
        """A fresh letter for a place of which the state claims nothing."""
        self._fresh += 1
        return SymbolBlock.letter(f"any_{self._fresh}", rows, columns, origin="anything")

    @staticmethod
    def indices(_: Size) -> tuple[Any]:
        """One symbolic layer index stands for all of them."""
        return (layer_index(),)

    def claims(self, change: Callable[[int, Any], Any] = lambda stage, layer: layer) -> Iterator[Claim]:
        """What the construction claims, on letters; ``change`` puts mutants in the place of its layers."""
        return claims(
            self.construction,
            self.prompt,
            indices=self.indices,
            arbitrary=self.arbitrary,
            anything=self.anything,
            change=change,
        )

    def reduced(self, block: Block) -> Sum:
        """The block's normal form under the rules that hold at this point of the run."""
        return reduced(normal_form(block), self.rules)


def _fresh_letter(name: str, block: Block) -> SymbolBlock:
    """A letter of the block's shape that is no datum and no parameter, whatever its name."""
    rows, columns = block.shape
    return SymbolBlock.letter(name, rows, columns, origin="iterate")


def _require_distinct_names(construction: Construction) -> None:
    """Refuses two data or parameters of one name: a proof would take them for the same letter.

    Raises:
        ValueError: if there are any.
    """
    symbols = [p.symbol for p in parameters(construction).values() if not p.counts_layers]
    names = ["X", "Y", "x_query", "n", "d", "m", "k", "l", *construction.extras, *symbols]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{type(construction).__name__} calls two things {', '.join(twice)}: a proof would take them for the same; "
            "the names X, Y, x_query, n, d, m, k and l are taken, and every parameter and extra needs its own"
        )


def prove(construction: Construction) -> Proof:
    """The proof of a construction for all n, d, m and every number of layers.

    Every parameter of the construction is left free, whatever its value; a looped one stays looped.

    Args:
        construction: any construction.

    Returns:
        The proof; ``proof.holds`` says whether it is one.
    """
    run = SymbolicRun(construction)
    identities, assumptions = [], list(run.hypotheses)
    for claim in run.claims():
        if claim.kind in ASSUMED:
            continue
        identities.append(Identity(claim, run.reduced(claim.left), run.reduced(claim.right)))
        assumptions.extend(relation for relation in run.relations if relation not in assumptions)
    return Proof(construction, tuple(_left_free(construction)), tuple(_assumed(assumptions)), tuple(identities))


def normal_form(block: Block) -> Sum:
    """The normal form of a symbolic block; that of ``Zero`` is the empty sum."""
    if isinstance(block, Zero):
        return words.zero(*block.shape)
    assert isinstance(block, SymbolBlock), f"a {type(block).__name__} has no normal form"
    return block.normal_form


def _rule(relation: Relation) -> Rule:
    try:
        return rule(normal_form(relation.left), normal_form(relation.right))
    except ValueError as error:
        raise ValueError(f"the relation {relation.name!r}: {error}") from error


def _assumed(relations: Iterable[Relation]) -> Iterator[Assumption]:
    seen = set()
    for relation in relations:
        assumption = Assumption(
            relation.name, sum_written(normal_form(relation.left)), sum_written(normal_form(relation.right))
        )
        if assumption not in seen:
            seen.add(assumption)
            yield assumption


def _left_free(construction: Construction) -> Iterator[str]:
    """What the theorem holds for, in words."""
    yield "n, d, m >= 1: the numbers of context tokens, features and targets"
    yield "X (d, n), Y (m, n), x_query (d, 1): any numbers"
    for name, shape in construction.extras.items():
        yield f"{name} {shape[0], shape[1]}: any numbers within the hypotheses"
    for name, p in parameters(construction).items():
        if getattr(construction, name) is None:
            yield f"{p.symbol} = 0"
            continue
        symbol = (
            f"{p.symbol}_l, one per layer"
            if p.per_layer and not hasattr(getattr(construction, name), "value")
            else p.symbol
        )
        if p.is_matrix:
            what = f"{'an invertible' if p.invertible else 'a'} matrix ({p.rows}, {p.columns})"
        else:
            what = "a number other than 0" if p.invertible else "a number"
        yield f"{symbol}: {what}"
