"""Proofs: what an induction has established, and how it is printed.

A printed proof gives the statement, what is left free, and each identity with its two sides and their normal form.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from constructions.block import Block
from constructions.claims import Claim
from constructions.construction import Construction
from proofs.entrywise import CITED, Entry
from proofs.formula import Formula, Style, name_of, operations_in, sum_written
from proofs.letters import named_letters
from proofs.symbols import SymbolBlock
from proofs.word_operations import RELU_PAIR
from proofs.words import Sum


@dataclass(frozen=True)
class Identity:
    """One identity of a proof: its two sides as written, and their normal forms (of a lemma, those of entry (i, j))."""

    claim: Claim
    left: Sum | Entry
    right: Sum | Entry

    @property
    def is_proved(self) -> bool:
        """Whether the two normal forms are equal."""
        return self.left == self.right

    @property
    def difference(self) -> Sum | Entry:
        """Left minus right."""
        return self.left - self.right  # type: ignore[operator]  # both sides are of one kind


@dataclass(frozen=True)
class Assumption:
    """What an identity may use: a hypothesis of the theorem, or a relation of the arbitrary iterate."""

    name: str
    left: str
    right: str


@dataclass(frozen=True)
class Proof:
    """A proof by induction over the layers, or an attempt at one.

    ``holds`` says that every identity was proved. An identity whose normal forms differ is undecided, not refuted.
    """

    construction: Construction
    free: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    identities: tuple[Identity, ...]

    @property
    def holds(self) -> bool:
        return bool(self.identities) and all(identity.is_proved for identity in self.identities)

    @property
    def undecided(self) -> tuple[Identity, ...]:
        """The identities that were not proved."""
        return tuple(identity for identity in self.identities if not identity.is_proved)

    def __str__(self) -> str:
        return proof_as_text(self)

    def latex(self) -> str:
        """The proof as LaTeX."""
        return proof_as_latex(self)

    def _repr_latex_(self) -> str:
        return self.latex()


def formula_of(block: Block) -> Formula:
    """The formula of a symbolic block as it was written."""
    return block.formula if isinstance(block, SymbolBlock) else Formula("letter", label=("0", None))


HEADINGS = {
    "lemma": f"Lemmas: matrices given entry by entry, by entry (i, j) for all i, j and sizes, and {CITED}",
    "base": "Base: the embedding is the state of the initial iterate",
    "step": "Step: one layer takes the state of an arbitrary iterate to the state of the next",
    "read-out": "Read-out: the read-out of the last state is the algorithm's prediction",
    "relation": "Relations: what holds of every iterate",
}


def proof_as_text(proof: Proof) -> str:
    """The proof, to be read in a terminal; ' is the transpose."""
    lines = [*_header(proof), ""]
    kind = None
    for identity in proof.identities:
        if identity.claim.kind != kind:
            kind = identity.claim.kind
            lines += [HEADINGS[kind], ""]
        lines += [*_identity_lines(identity), ""]
    count = len(proof.identities)
    if proof.holds:
        lines.append(f"Proved: {count} identities, each by equal normal forms.")
    else:
        places = "; ".join(identity.claim.text for identity in proof.undecided)
        lines.append(f"Undecided: {len(proof.undecided)} of {count} identities ({places}). Not a proof.")
    return "\n".join(lines)


def statement(proof: Proof) -> str:
    """What is proved: the first sentence of the construction's docstring."""
    return (inspect.getdoc(type(proof.construction)) or type(proof.construction).__name__).splitlines()[0]


def _header(proof: Proof) -> Iterator[str]:
    yield statement(proof)
    yield "Left free: " + "; ".join(proof.free) + "."
    formulas = (formula_of(side) for each in proof.identities for side in (each.claim.left, each.claim.right))
    if any("relu" in operations_in(formula) for formula in formulas):
        yield f"Cited ({RELU_PAIR}): relu(z) - relu(-z) = z"
    for name, entry in _given_entries(proof).items():
        yield f"Given entry by entry: {name}, {entry} in row i and column j, from 0"
    for assumption in proof.assumptions:
        yield f"Assumed ({assumption.name}): {assumption.left} = {assumption.right}"


def _given_entries(proof: Proof) -> dict[str, str]:
    """The matrices of the lemmas that are given entry by entry, and their entries."""
    sides = (
        side for each in proof.identities if each.claim.kind == "lemma" for side in (each.claim.left, each.claim.right)
    )
    letters = (letter for side in sides if isinstance(side, SymbolBlock) for letter in named_letters(side.normal_form))
    return {letter.name: Entry(letter.entries).written() for letter in letters if letter.entries is not None}


def _identity_lines(identity: Identity) -> Iterator[str]:
    yield f"  {identity.claim.text}"
    yield f"    left    {formula_of(identity.claim.left).written()}"
    yield f"    right   {formula_of(identity.claim.right).written()}"
    if identity.is_proved:
        yield f"    both =  {reduced_written(identity.left)}"
    else:
        yield f"    left =  {reduced_written(identity.left)}"
        yield f"    right = {reduced_written(identity.right)}"
        yield f"    left - right = {reduced_written(identity.difference)}   (undecided)"


def reduced_written(side: Sum | Entry, style: Style = "text") -> str:
    """A side of an identity in normal form."""
    return sum_written(side, style) if isinstance(side, Sum) else side.written(style)


def proof_as_latex(proof: Proof) -> str:
    r"""The proof as LaTeX (``amsmath``)."""
    lines = [r"\begin{align*}"]
    for identity in proof.identities:
        lines += _identity_latex(identity)
    lines[-1] = lines[-1].removesuffix(r" \\")
    return "\n".join([*lines, r"\end{align*}"])


def _identity_latex(identity: Identity) -> Iterator[str]:
    left, right = (formula_of(side).written("latex") for side in (identity.claim.left, identity.claim.right))
    sign = "=" if identity.is_proved else r"\overset{?}{=}"
    where = identity.claim.text.replace("_", r"\_")
    yield rf"&\text{{{where}:}} \\"
    yield rf"&\quad {left} {sign} {right} \\"
    if identity.is_proved:
        yield rf"&\quad\phantom{{{name_of(('X', None), 'latex')}}} = {reduced_written(identity.left, 'latex')} \\"
