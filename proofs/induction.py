"""The induction engine: it proves any construction, for all sizes and any number of layers, without knowing it.

The prompt and the parameters become letters of unspecified size and the layer index a symbol; the one forward pass is
run on them. What is proved is that the embedding is the state of the initial iterate (base), that one layer takes the
state of an arbitrary iterate to the state of the next (step), and that the read-out of a state is the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any

from constructions.block import Block, Size, Zero
from constructions.claims import Claim, claims
from constructions.construction import Construction
from constructions.parameters import generic, generic_prompt, lifted, parameters, widths
from constructions.prompt import Prompt
from constructions.stages import Index, Iterate, Relation
from numerics.mutations import weight_blocks
from proofs import words
from proofs.column_functions import functions_of, require_columnwise
from proofs.entrywise import NoEntries, entry
from proofs.formula import inverses_in, sum_written
from proofs.letters import first_of_the_data
from proofs.proof import Assumption, Identity, Proof, formula_of
from proofs.rewriting import Rule, reduced, rule
from proofs.symbols import SymbolBlock, layer_index, size_in
from proofs.unknown import no_comparison_swallowed
from proofs.words import Sum


class SymbolicRun:
    """A construction and its prompt as letters, with the rewriting rules that hold of them.

    The rules grow as the run goes on: a relation may be used once an arbitrary iterate is assumed to satisfy it.
    """

    def __init__(self, construction: Construction, layers: int | None = None) -> None:
        _require_distinct_names(construction)
        self.prompt: Prompt = generic_prompt(construction).lifted(SymbolBlock)
        self.construction = lifted(generic(construction, layers), SymbolBlock, self.prompt)
        self.hypotheses = self.construction.hypotheses(self.prompt)
        self.relations: tuple[Relation, ...] = ()
        known = (*self.hypotheses, *self.construction.lemmas(self.prompt))
        self._assumed = [_rule(relation) for relation in known]
        self.rules: list[Rule] = self._assumed
        self._fresh = 0
        self._functions: list[Any] = []

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

    def claims(
        self,
        change: Callable[[int, Any], Any] = lambda stage, layer: layer,
        indices: tuple[Index, ...] | None = None,
        lemmas: bool = True,
    ) -> Iterator[Claim]:
        """What the construction claims, on letters.

        Args:
            change: puts mutants in the place of its layers.
            indices: the layer indices of a loop of any length; by default one symbol, which stands for all of them.
                Where the length of a loop is known, each of its layers is claimed instead.
            lemmas: whether to claim the lemmas.
        """

        def examined(stage: int, layer: Any) -> Any:
            self._require_weights_free_of_data(layer)
            return change(stage, layer)

        return claims(
            self.construction,
            self.prompt,
            indices=lambda times: (
                range(times) if isinstance(times, int) else indices if indices is not None else (layer_index(),)
            ),
            arbitrary=self.arbitrary,
            anything=self.anything,
            change=examined,
            lemmas=lemmas,
        )

    def _require_weights_free_of_data(self, layer: Any) -> None:
        """Refuses a layer whose weights were computed from the prompt: they would be other weights for other data.

        Raises:
            ValueError: if a weight has a letter of the prompt, or of an iterate, or a function is none of columns.
        """
        data = {"X", "Y", "x_query", *self.construction.extras}
        for function in functions_of(layer):
            if not any(function is examined for examined in self._functions):
                require_columnwise(function, data)
                self._functions.append(function)
        for place, block in weight_blocks(layer):
            if not isinstance(block, SymbolBlock):
                continue
            if (name := first_of_the_data(block.normal_form, data)) is not None:
                raise ValueError(
                    f"the weights depend on the data: {place} contains {name}; weights may be built from the sizes and "
                    "the parameters only"
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
    declared = parameters(construction)
    families = [p for name, p in declared.items() if p.per_layer and getattr(construction, name) is not None]
    symbols = [p.symbol for p in declared.values()]
    depths = {p.depth_symbol for p in families} or ({"k"} - set(symbols))
    functions = [held.name for held in _held(construction).values() if getattr(held, "is_arbitrary", False)]
    taken = ["X", "Y", "x_query", "n", "d", "m", "l", *depths]
    names = [*taken, *construction.extras, *symbols, *functions, *widths(construction)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{type(construction).__name__} calls two things {', '.join(twice)}: a proof would take them for the same; "
            "the names X, Y, x_query, n, d, m, k and l are taken, and every parameter, extra and arbitrary function "
            "needs its own"
        )


UNSYMBOLIC = (TypeError, ValueError, AttributeError, ArithmeticError, LookupError, NotImplementedError)
"""What a network raises through which symbols cannot go."""

_CONCRETE = (0, 1, 5, 8)
"""The layer indices for which every claim is decided once more."""


def prove(construction: Construction, layers: int | None = None) -> Proof:
    """The proof of a construction for all n, d, m and every number of layers.

    Every parameter of the construction is left free, whatever its value; a looped one stays looped.

    Args:
        construction: any construction.
        layers: for this number of layers only, as a construction without an invariant needs, of which no induction is
            possible; its prediction is compared with the algorithm's, end to end.

    Returns:
        The proof; ``proof.holds`` says whether it is one.

    Raises:
        NoInvariant: if nothing is claimed of single layers, and their number is not given.
        TypeError: if an unknown number is compared, even where that is caught.
    """
    with no_comparison_swallowed():
        return _proof(construction, layers)


def _proof(construction: Construction, layers: int | None) -> Proof:
    run = SymbolicRun(construction, layers)
    identities, assumptions, inverted = list[Identity](), list(run.hypotheses), dict[str, None]()
    for claim in run.claims():
        if claim.kind == "lemma":
            identities.append(_lemma(claim))
        if claim.kind in ("hypothesis", "lemma"):
            continue
        identities.append(Identity(claim, run.reduced(claim.left), run.reduced(claim.right)))
        inverted.update((text, None) for side in (claim.left, claim.right) for text in inverses_in(formula_of(side)))
        assumptions.extend(relation for relation in run.relations if relation not in assumptions)
    run.restart()
    # Most layers that treat an int otherwise than a symbol are found out here; what is written for one int is not.
    for claim in run.claims(indices=_CONCRETE, lemmas=False):
        identity = Identity(claim, run.reduced(claim.left), run.reduced(claim.right))
        if claim.kind != "hypothesis" and not identity.is_proved:
            identities.append(identity)
    invertible = (Assumption("invertible", f"({text}) ({text})^-1", "I") for text in inverted)
    free = tuple(_left_free(construction, layers))
    return Proof(construction, free, (*_assumed(assumptions), *invertible), tuple(identities))


def normal_form(block: Block) -> Sum:
    """The normal form of a symbolic block; that of ``Zero`` is the empty sum."""
    if isinstance(block, Zero):
        return words.zero(*map(size_in, block.shape))
    assert isinstance(block, SymbolBlock), f"a {type(block).__name__} has no normal form"
    return block.normal_form


def _lemma(claim: Claim) -> Identity:
    """The lemma by its entries, without any rule: it may not rest on itself."""
    left, right = normal_form(claim.left), normal_form(claim.right)
    try:
        return Identity(claim, entry(left), entry(right))
    except NoEntries:
        return Identity(claim, left, right)


def _rule(relation: Relation) -> Rule:
    try:
        return rule(normal_form(relation.left), normal_form(relation.right))
    except ValueError as error:
        raise ValueError(f"the relation {relation.name!r}: {error}") from error


def _fixed(construction: Construction) -> Iterator[str]:
    """The fields that are no declared parameters: the proof is for their values, or for every function."""
    declared = parameters(construction)
    for name, held in _held(construction).items():
        if getattr(held, "is_arbitrary", False):
            yield str(held)
        elif name not in declared:
            yield f"{name} = {held}, as given"


def _held(construction: Construction) -> dict[str, Any]:
    """The fields of a construction and their values."""
    return {field.name: getattr(construction, field.name) for field in fields(construction)}  # type: ignore[arg-type]


def _assumed(relations: Iterable[Relation]) -> Iterator[Assumption]:
    seen = set()
    for relation in relations:
        assumption = Assumption(
            relation.name, sum_written(normal_form(relation.left)), sum_written(normal_form(relation.right))
        )
        if assumption not in seen:
            seen.add(assumption)
            yield assumption


def _left_free(construction: Construction, layers: int | None) -> Iterator[str]:
    """What the theorem holds for, in words."""
    d, m = construction.dimension, construction.targets
    counted = {"n": "context tokens", "d": "features", "m": "targets"}
    fixed = {name: size for name, size in (("d", d), ("m", m)) if isinstance(size, int)}
    left = [name for name in counted if name not in fixed]
    *most, last = (counted[name] for name in left)
    sizes = f"the numbers of {', '.join(most)} and {last}" if most else f"the number of {last}"
    said = [f"{', '.join(left)} >= 1: {sizes}", *(f"{name} = {size}" for name, size in fixed.items())]
    yield "; ".join(said)
    yield f"X ({d}, n), Y ({m}, n), x_query ({d}, 1): any numbers"
    for name in widths(construction):
        yield f"{name} >= 1: a width that the parameters decide"
    for name, shape in construction.extras.items():
        yield f"{name} ({shape[0]}, {shape[1]}): any numbers within the hypotheses"
    for name, p in parameters(construction).items():
        if getattr(construction, name) is None:
            yield f"{p.symbol} = 0"
            continue
        if p.counts_layers:
            many = ">= 0" if layers is None else f"= {getattr(generic(construction, layers), name)}"
            yield f"{p.symbol} {many}: a number of layers"
            continue
        symbol = (
            f"{p.symbol}_l, one per layer"
            if p.per_layer and not hasattr(getattr(construction, name), "value")
            else p.symbol
        )
        if p.is_matrix:
            what = f"{'an invertible' if p.has_inverse else 'a'} matrix ({p.rows}, {p.columns})"
        else:
            what = "a number other than 0" if p.has_inverse else "a number"
        yield f"{symbol}: {what}"
    declared = parameters(construction)
    free = [p for name, p in declared.items() if p.per_layer and getattr(construction, name) is not None]
    for extra, symbol in enumerate(dict.fromkeys(p.depth_symbol for p in free)):
        yield f"{symbol} {'>= 0' if layers is None else f'= {layers + extra}'}: the number of layers"
    yield from _fixed(construction)
