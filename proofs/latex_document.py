r"""Theorems and constructions in LaTeX, to be pasted into a paper: statement, reference, weights, argument.

A snippet needs ``amsmath`` and nothing else; ``document`` makes a document of its own of one or many. Formulas stand
in ragged paragraphs, where TeX breaks the long ones at their signs; a block matrix that is wider than a line is written
entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import Any

import sympy

from constructions.construction import Construction
from constructions.display import described_parts
from constructions.layout import Grid, Heading, Part, Sentence, Table, grid_in_latex, upright
from constructions.parameters import generic
from proofs.argued_theorem import ArguedTheorem, Equation
from proofs.construction_theorem import ConstructionTheorem
from proofs.formula import sum_written
from proofs.identity_theorem import IdentityTheorem
from proofs.induction import prove
from proofs.latex_prose import escaped, formula_in_latex, name_in_latex, prose_in_latex
from proofs.limits import LimitTheorem
from proofs.proof import HEADINGS, Identity, Proof, formula_of, reduced_written
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem
from proofs.words import Sum

WIDEST = 62
"""A block matrix of more characters than this in a row is written entry by entry."""


_LABELLED = re.compile(r"\s*(?:left|right|both =)\s{2,}")
"""What stands before a side of an equation in a proof printed as text."""


def document(snippets: Iterable[str]) -> str:
    """A document that holds the snippets, each from the top of a page."""
    body = "\n\n\\clearpage\n".join(snippets)
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[margin=25mm]{geometry}",
            r"\usepackage{amsmath}",
            r"\begin{document}",
            body,
            r"\end{document}",
            "",
        ]
    )


def theorem_in_latex(theorem: Theorem) -> str:
    """A theorem: its name, statement and reference, the weights that it is about, and its proof."""
    lines = [
        rf"\textbf{{Theorem}} ({name_in_latex(theorem.name)}; {escaped(theorem.system)}).",
        rf"{prose_in_latex(theorem.statement)}\par",
        rf"\emph{{Reference:}} {prose_in_latex(theorem.reference)}.\par",
    ]
    return "\n".join([f"% {theorem.name}: icl-theory {_version()}", *_ragged([*lines, *_argument(theorem)])])


def construction_in_latex(construction: Construction) -> str:
    """A construction: its parameters, tokens, weights, invariant and algorithm."""
    return "\n".join(_ragged(_construction(construction)))


def proof_in_latex(construction: Construction) -> str:
    """The proof of a construction, or the attempt at one: what is undecided is marked."""
    return "\n".join(_ragged(_proof(prove(construction))))


def _ragged(lines: Iterable[str]) -> Iterator[str]:
    yield r"\begin{flushleft}"
    yield from lines
    yield r"\end{flushleft}"


# The arguments, by the kind of theorem.


def _argument(theorem: Theorem) -> Iterator[str]:
    if isinstance(theorem, ConstructionTheorem):
        yield from _construction(theorem.prototype)
        yield from _proof(theorem.proof)
    elif isinstance(theorem, LimitTheorem):
        yield from _construction(theorem.networks[0])
        yield _title("Distance from the limit")
        for text, left, right in theorem.steps():
            yield _equation(prose_in_latex(text), _side(left), "=", _side(right))
    elif isinstance(theorem, ArguedTheorem):
        yield _title("Proof")
        for number, step in enumerate(theorem.steps, start=1):
            yield from _step(number, step)
    elif isinstance(theorem, IdentityTheorem) and not theorem.given:
        left, right = theorem.symbolic_sides
        yield _title("Proof")
        yield _equation(
            "both sides have one normal form",
            formula_of(left).written("latex"),
            "=",
            formula_of(right).written("latex"),
        )
    else:
        if theorem.construction is not None:
            yield from _construction(theorem.construction)
        yield _title("Refutation" if isinstance(theorem, RefutedStatement) else "Proof")
        yield from _printed(theorem.shown())


def _step(number: int, step: Any) -> Iterator[str]:
    """A step of an argument; sides that are written alike are written once."""
    words = f"{number}. {prose_in_latex(step.text)}"
    if isinstance(step, Equation):
        left, right = _side(step.left), _side(step.right)
        yield _equation(words, left) if left == right else _equation(words, left, "=", right)
    elif hasattr(step, "construction"):
        name = type(step.construction).__name__
        yield _paragraph(rf"{words} (by induction over the layers of \texttt{{{escaped(name)}}})")
    else:
        yield _paragraph(words)


def _side(side: Any) -> str:
    if isinstance(side, Sum):
        return sum_written(side, "latex")
    if isinstance(side, sympy.Basic | sympy.MatrixBase | int):
        side = sympy.sympify(side)
        names = {symbol: formula_in_latex(symbol.name) for symbol in side.atoms(sympy.Symbol)}
        terms = (_term(term, names) for term in sympy.Add.make_args(side))
        written = " + ".join(terms).replace("+ -", "- ") if isinstance(side, sympy.Add) else _term(side, names)
        return re.sub(r"\\(?:left|right)(?=[()\[\]])", "", written)  # TeX breaks no line between \left and \right
    return formula_in_latex(str(side))


def _term(term: Any, names: dict[Any, str]) -> str:
    """A SymPy expression; the quotient of long ones on one line, where it may be broken."""
    numerator, denominator = sympy.fraction(term)
    over, under = (str(sympy.latex(part, symbol_names=names)) for part in (numerator, denominator))
    if denominator != 1 and max(_length(over), _length(under)) > WIDEST:
        return f"{f'({over})' if isinstance(numerator, sympy.Add) else over} / ({under})"
    return str(sympy.latex(term, symbol_names=names, long_frac_ratio=3))


def _printed(shown: str) -> Iterator[str]:
    """What a theorem shows of itself, line by line; the sides of an equation, which have labels, on one line."""
    for is_side, lines in groupby(filter(str.strip, shown.splitlines()), key=lambda line: bool(_LABELLED.match(line))):
        if is_side:
            written = (formula_in_latex(_LABELLED.sub("", line), r"^\top ") for line in lines)
            yield _paragraph(_inline(" = ".join(dict.fromkeys(written))), 4)
        else:
            yield from (_paragraph(prose_in_latex(line.strip()), len(line) - len(line.lstrip())) for line in lines)


def _proof(proof: Proof) -> Iterator[str]:
    yield _title("Proof")
    yield _paragraph(prose_in_latex("Left free: " + "; ".join(proof.free) + "."))
    for assumption in proof.assumptions:
        sides = (formula_in_latex(side, r"^\top ") for side in (assumption.left, assumption.right))
        yield _paragraph(f"Assumed ({prose_in_latex(assumption.name)}): ${' = '.join(sides)}$.")
    for kind, identities in groupby(proof.identities, key=lambda identity: identity.claim.kind):
        yield _paragraph(rf"\emph{{{prose_in_latex(HEADINGS[kind])}.}}")
        # What is the same formula on both sides already needs no line of its own.
        for is_immediate, equal in groupby(identities, key=lambda each: len(_sides(each)) == 1):
            if is_immediate:
                written = "; ".join(f"{prose_in_latex(each.claim.text)}: {_inline(_sides(each)[0])}" for each in equal)
                yield rf"{{\leftskip=1em\relax {written}\par}}"
            else:
                yield from (_identity(each) for each in equal)


def _identity(identity: Identity) -> str:
    words = prose_in_latex(identity.claim.text)
    if identity.is_proved:
        return _equation(words, " = ".join(_sides(identity)))
    return _equation(f"{words} (undecided)", r" \overset{?}{=} ".join(_sides(identity)))


def _sides(identity: Identity) -> tuple[str, ...]:
    """Left, right and, of what is proved, the normal form of both, each once."""
    written = [formula_of(side).written("latex") for side in (identity.claim.left, identity.claim.right)]
    reduced = [reduced_written(identity.left, "latex")] if identity.is_proved else []
    return tuple(dict.fromkeys([*written, *reduced]))


# Constructions.


def _construction(construction: Construction) -> Iterator[str]:
    for part in described_parts(generic(construction), "latex"):
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Heading):
        yield _title(prose_in_latex(part.text)) if part.level == 0 else _paragraph(prose_in_latex(part.text))
    elif isinstance(part, Sentence):
        words = prose_in_latex(part.words)
        yield _paragraph(" ".join(filter(None, [words, _inline(part.formula) if part.formula else ""])), 2)
    elif isinstance(part, Table):
        yield from _grid("", part.grid, ())
    else:
        narrow = [(name, grid) for name, grid in part.merged() if isinstance(grid, str) or _width(grid) <= WIDEST]
        if narrow:
            written = (_inline(rf"{_name(name)} = {_drawn(grid, part.order)}") for name, grid in narrow)
            yield _paragraph(r"\quad ".join(written), 2)
        for name, grid in part.merged():
            if (name, grid) not in narrow:
                yield from _grid(name, grid, part.order)


def _grid(name: str, grid: Grid | str, order: tuple[str, ...]) -> Iterator[str]:
    """The matrix or the table; entry by entry if it is wide."""
    if isinstance(grid, str) or _width(grid) <= WIDEST:
        yield _paragraph(_inline((f"{_name(name)} = " if name else "") + _drawn(grid, order)), 2)
        return
    if name:
        yield _paragraph(rf"{_inline(_name(name))}, zero but for", 2)
    for row, entries in zip(grid.rows, grid.entries, strict=True):
        for column, entry in zip(grid.columns, entries, strict=True):
            if entry != "0":
                arrow = rf"{upright(row)} \leftarrow {upright(column)}" if name else ""
                place = rf"{_inline(arrow)}:" if name else f"{escaped(row)} of {escaped(column)}:"
                yield _paragraph(f"{place} {_inline(entry)}", 4)


def _drawn(grid: Grid | str, order: tuple[str, ...]) -> str:
    return grid if isinstance(grid, str) else grid_in_latex(grid, order)


def _name(name: str) -> str:
    return name if "\\" in name else formula_in_latex(name, r"^\top ")


def _width(grid: Grid) -> int:
    """About so many characters wide is the matrix in print."""
    columns = zip(*grid.entries, strict=True)
    return sum(max(map(_length, column)) + 2 for column in columns) + max(map(len, grid.rows), default=0)


def _length(formula: str) -> int:
    bare = re.sub(r"\\(?:mathrm|text|operatorname|mathbf|frac|left|right)\b|[{}_^$\\ ]", "", formula)
    return len(re.sub(r"\\[A-Za-z]+", "x", bare))


# Paragraphs.


def _title(words: str) -> str:
    return rf"\par\medskip\textbf{{{words}}}\par"


def _paragraph(words: str, depth: int = 0) -> str:
    indented = rf"\leftskip={depth / 2:g}em\relax " if depth else r"\leftskip=0pt\relax "
    return rf"{{{indented}{words}\par}}"


def _equation(words: str, *formula: str) -> str:
    return rf"{{\leftskip=1em\relax {words}: {_inline(' '.join(formula))}\par}}"


def _inline(formula: str) -> str:
    """The formula in a paragraph. TeX breaks lines at signs of its own accord; after a comma, at a bracket it may."""
    broken = re.sub(r"(?<=,) (?! )|(?<=[A-Za-z0-9)}]) (?=\(|\\operatorname)", r"\\allowbreak ", formula)
    return rf"$\displaystyle {broken}$"


def _version() -> str:
    try:
        return version("icl-theory")
    except PackageNotFoundError:
        return "(not installed)"
