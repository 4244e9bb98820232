"""The report: one self-contained HTML page of the catalogue, its evidence, weights, proofs, errata and figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from constructions.construction import Construction
from constructions.display import described, described_parts
from constructions.parameters import generic
from numerics.versions import versions
from proofs.construction_theorem import ConstructionTheorem
from proofs.evidence import FAILS, HOLDS, KINDS, NOT_RUN, Evidence
from proofs.evidence_file import Gathered, as_float
from proofs.figures import Figure, figures
from proofs.processes import in_processes
from proofs.prose import typeset
from proofs.refuted import RefutedStatement
from proofs.reports import abridged
from proofs.theorem import SYSTEMS, Theorem, Verification
from proofs.typeset_parts import Piece, typeset_lines, typeset_parts

FOLDER = Path(__file__).parent / "page"
"""The template, the style sheet and the script, which the page takes in."""

LONG = 280
"""What a piece of evidence ranges over is folded if it is longer."""

MOST_DIGITS = 24
"""An exact number that is longer is written as a float."""

_SPELLED = {
    "chebyshev": "Chebyshev", "richardson": "Richardson",
    "gdpp": "GD++", "krylov": "Krylov", "gaussian": "Gaussian", "gram": "Gram", "mlp": "MLP", "nesterov": "Nesterov",
    "newton": "Newton", "rbf": "RBF", "relu": "ReLU", "toeplitz": "Toeplitz", "w0": "W₀", "wishart": "Wishart",
}  # fmt: skip
"""Words of the names of theorems as sentences spell them."""

_MARKS = {HOLDS: "✓", FAILS: "✗", NOT_RUN: "–"}


@dataclass(frozen=True)
class Weights:
    """The weights and the invariant of one network: what it is, where there are several, and its description."""

    title: Markup
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Page:
    """One theorem on the page."""

    verification: Verification
    title: str
    statement: Markup
    reference: Markup
    weights: tuple[Weights, ...]
    proof: tuple[Piece, ...]
    figures: tuple[Figure, ...]
    is_erratum: bool
    counterexamples: tuple[tuple[Markup, Markup], ...]
    corrected: str | None

    @property
    def name(self) -> str:
        return self.verification.theorem.name

    @property
    def outcomes(self) -> dict[str, str]:
        """From a kind of evidence to its outcome."""
        return {evidence.kind: evidence.outcome for evidence in self.verification.evidence}


def report_page(gathered: Gathered, of: int, jobs: int = 1, advance: Callable[[], None] = lambda: None) -> str:
    """The page as HTML.

    Args:
        gathered: the evidence; the page has its theorems alone, and proves them again to show their proofs.
        of: how many theorems the catalogue has.
        jobs: the number of processes, >= 1; if several, the theorems are those of the catalogue.
        advance: called after each theorem.
    """
    drawn, here = figures(gathered), versions()
    reported = {verification.theorem.name for verification in gathered.verifications}
    pages = []
    arguments = _arguments([verification.theorem for verification in gathered.verifications], jobs)
    for verification, argument in zip(gathered.verifications, arguments, strict=True):
        pages.append(_page(verification, argument, drawn, reported))
        advance()
    by_system = {system: [page for page in pages if _system(page) == system] for system in SYSTEMS}
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, seconds=_seconds, folded=_folded, words=_words)
    return environment.get_template("report.html.jinja").render(
        gathered=gathered,
        pages=pages,
        systems={system: held for system, held in by_system.items() if held},
        anchors={system: "by-" + "".join(c if c.isalnum() else "-" for c in system.lower()) for system in SYSTEMS},
        kinds=[kind for kind in KINDS if any(kind in page.outcomes for page in pages)],
        marks=_MARKS,
        figures=drawn,
        errata=[page for page in pages if page.is_erratum],
        verified=sum(page.verification.verified for page in pages),
        of=of,
        version=here["icl-theory"],
        here=_program(here),
        there=_program(gathered.versions) if _program(gathered.versions) != _program(here) else None,
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),
        script=Markup((FOLDER / "report.js").read_text(encoding="utf-8")),
    )


def _program(held: Mapping[str, str | None]) -> str:
    """The versions that decide what a theorem and its evidence are, in words."""
    return f"icl-theory {held.get('icl-theory') or '(no version)'} on Python {held.get('python') or '(no version)'}"


def _system(page: Page) -> str:
    return page.verification.theorem.system


def _page(verification: Verification, argument: str, drawn: Sequence[Figure], names: Collection[str]) -> Page:
    theorem = verification.theorem
    return Page(
        verification=verification,
        title=_words(theorem.name),
        statement=typeset(theorem.statement, names),
        reference=typeset(theorem.reference, names),
        weights=tuple(_weights(theorem)),
        proof=tuple(typeset_lines(argument.splitlines(), names)),
        figures=tuple(figure for figure in drawn if theorem.name in figure.about),
        is_erratum=theorem.name.endswith("is_false"),
        counterexamples=tuple(_counterexamples(verification)),
        corrected=theorem.corrected if isinstance(theorem, RefutedStatement) and theorem.corrected in names else None,
    )


def _weights(theorem: Theorem) -> Iterator[Weights]:
    """What a theorem's networks are made of: of a printed statement, every reading."""
    if isinstance(theorem, RefutedStatement):
        for number, reading in enumerate(theorem.printed, start=1):
            title = f"reading {number} of {len(theorem.printed)}" if len(theorem.printed) > 1 else ""
            yield Weights(Markup.escape(title), _described(reading))
    elif theorem.construction is not None:
        yield Weights(Markup(""), _described(theorem.construction))


def _described(construction: Construction) -> tuple[Piece, ...]:
    return tuple(typeset_parts(described_parts(generic(construction), "text")))


def _arguments(theorems: Sequence[Theorem], jobs: int) -> Iterator[str]:
    if jobs == 1:
        return map(_argument, theorems)
    return in_processes(_argument_of, [theorem.name for theorem in theorems], jobs)


def _argument_of(name: str) -> str:
    from proofs.catalogue import catalogue

    return _argument(catalogue()[name])


def _argument(theorem: Theorem) -> str:
    """What a theorem prints of itself beside the description of its network: proof or counterexamples."""
    if isinstance(theorem, ConstructionTheorem):
        return str(theorem.proof)
    shown = theorem.shown()
    if theorem.construction is not None:
        shown = shown.removeprefix(described(generic(theorem.construction)))
    return shown.strip("\n").removeprefix("Proof\n")


def _counterexamples(verification: Verification) -> Iterator[tuple[Markup, Markup]]:
    """(the readings that it refutes, smallest counterexample), as the evidence has them, each once."""
    for evidence in verification.evidence:
        kind, _, examples = (evidence.over or "").partition(": ")
        if evidence.kind == "refutation" and kind == "smallest counterexample":
            found = examples.split("; ")
            for example in dict.fromkeys(found):
                numbers = [number for number, each in enumerate(found, start=1) if each == example]
                yield _readings(verification.theorem, numbers, len(found)), typeset(abridged(example))


def _readings(theorem: Theorem, numbers: Sequence[int], of: int) -> Markup:
    """Which readings of a printed statement these are, and what each claims; nothing where there is one alone."""
    if of == 1 or not isinstance(theorem, RefutedStatement) or of != len(theorem.printed):
        return Markup("")
    said = " and ".join(map(str, numbers))
    claims = [(type(theorem.printed[number - 1]).__doc__ or "").splitlines()[0] for number in numbers]
    return Markup(" of reading{} {} of {}: {}").format(
        "s" if len(numbers) > 1 else "", said, of, Markup(" ").join(map(typeset, dict.fromkeys(claims)))
    )


def _words(name: str) -> str:
    """The name of a theorem as a sentence."""
    words = [_SPELLED.get(word, word) for word in name.split("_")]
    if len(words[0]) > 1 or words[0] == "a":
        words[0] = words[0][:1].upper() + words[0][1:]
    return " ".join(words)


def number(value: Any) -> Markup:
    """A number of the evidence: a float to two digits, a long exact number as one, nothing as a dash.

    >>> number(6.4e-13), number("1/3"), number("1/" + "9" * 30)
    (Markup('6.4 × 10<sup>−13</sup>'), Markup('1/3'), Markup('≈ 1 × 10<sup>−30</sup>'))
    """
    if value is None:
        return Markup("–")
    if isinstance(value, str) and len(value) > MOST_DIGITS:
        return Markup("≈ {}").format(number(as_float(value)))
    if not isinstance(value, float):
        return Markup.escape(value)
    mantissa, _, exponent = f"{value:.2g}".partition("e")
    if not exponent:
        return Markup.escape(mantissa)
    return Markup("{} × 10<sup>{}</sup>").format(mantissa, str(int(exponent)).replace("-", "−"))


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2g}" if 0.01 <= value < 10 else f"{value:.0f}" if value >= 10 else "< 0.01"


def _folded(evidence: Evidence) -> tuple[Markup, Markup | None]:
    """(what a piece of evidence ranges over, or its beginning; the whole, if that is long)"""
    text = abridged(evidence.over or "")
    if len(text) <= LONG:
        return typeset(text), None
    beginning = text[: text.rindex(" ", 0, LONG // 2)]
    return Markup("{} …").format(typeset(beginning)), typeset(text)
