"""The page of the catalogue: it is the one that the code writes, and it reads as Markdown."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from proofs.catalogue import catalogue
from proofs.catalogue_page import WIDTH, catalogue_page
from proofs.publications import PUBLICATIONS
from proofs.theorem import SYSTEMS, Theorem

PAGE = Path(__file__).resolve().parent.parent / "docs" / "catalogue.md"


@dataclass(frozen=True, kw_only=True)
class Stated(Theorem):
    """A theorem that is stated, and nothing else."""

    @property
    def kinds(self):
        return ("proof", "closed_form")

    def evidence(self, kind, settings):
        raise NotImplementedError

    def shown(self):
        return ""


def stated(statement, system="this project"):
    return Stated(name="stated", system=system, reference="none", statement=statement)


def test_page_is_the_one_that_the_code_writes():
    assert PAGE.read_text(encoding="utf-8") == catalogue_page(catalogue().values()), "run make docs"


def test_every_theorem_has_a_heading_of_its_own():
    text = PAGE.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        f"### `{name}`" for system in SYSTEMS for name, each in catalogue().items() if each.system == system
    ]


def test_every_system_but_this_project_is_a_publication():
    assert [*PUBLICATIONS, "this project"] == list(SYSTEMS)


@pytest.mark.parametrize(
    ("statement", "written"),
    [("M_0 = alpha S.", "M\\_0 = alpha S."), ("2 * n < m.", "2 \\* n \\< m."), ("x[i] | y.", "x\\[i] \\| y.")],
)
def test_marks_of_markdown_are_escaped(statement, written):
    assert f"\n{written}\n" in catalogue_page([stated(statement)])


@pytest.mark.parametrize("mark", ["-", "+", "#"])
def test_a_line_of_a_statement_starts_no_list_and_no_heading(mark):
    assert f"\n\\{mark} y.\n" in catalogue_page([stated(f"{'x' * (WIDTH - 1)} {mark} y.")])


def test_the_paper_stands_above_its_theorems():
    text = catalogue_page([stated("It holds.", "Fu et al. 2024")])
    assert text.index("## Fu et al. 2024") < text.index("https://arxiv.org/abs/2310.17086") < text.index("### `stated`")
    assert "- evidence: proof, closed form" in text
