"""The command icl report: one self-contained HTML file, and what is refused."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from reported import FALSE, HEAD, NAMES, evidence_written, report_written

from proofs import report_command, verify_command
from proofs.catalogue import catalogue
from proofs.command_line import main
from proofs.evidence import FAILS, HOLDS, Evidence, Settings
from proofs.evidence_file import Gathered, gathered_in
from proofs.report_page import _words, number, report_page
from proofs.theorem import Verification

VOID = {"meta", "link", "input", "wbr", "br", "img"}


class Outline(HTMLParser):
    """The elements of a page: ids, links, headings in order, and every attribute."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.headings, self.attributes = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        held = dict(attributes)
        self.attributes += [(tag, *each) for each in attributes]
        self.ids += [held["id"]] if "id" in held else []
        self.links += [held["href"]] if tag == "a" else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, *each) for each in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    return evidence_written(tmp_path_factory.mktemp("evidence") / "evidence.json")


@pytest.fixture(scope="module")
def html(evidence):
    return report_written(evidence, evidence.parent / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(html):
    return Outline(html)


def text(html):
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html))


def page_of(html, name):
    """The part of the page that is about one theorem."""
    return re.search(rf'<article class="theorem" id="{name}".*?</article>', html, re.DOTALL)[0]


def test_every_element_is_closed_in_its_place(outline):
    assert outline.open == []


def test_every_id_is_there_once_and_every_link_leads_to_one(outline):
    assert {name: count for name, count in Counter(outline.ids).items() if count > 1} == {}
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert all(link.startswith("#") for link in outline.links)


def test_headings_go_down_one_level_at_a_time(outline):
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(outline.headings))


def test_the_page_asks_for_nothing_else(html, outline):
    loaded = [each for each in outline.attributes if each[1] in ("src", "srcset", "action", "poster", "data")]
    addresses = [value for _, name, value in outline.attributes if name in ("href", "xlink:href")]
    assert loaded == []
    assert [each for each in addresses if not each.startswith(("#", "data:,"))] == []
    assert not re.search(r"@import|url\(|fetch\(|import\(", html)


def test_the_page_has_every_theorem_with_all_of_its_evidence(html, evidence):
    for theorem in json.loads(evidence.read_text(encoding="utf-8"))["theorems"]:
        rows = re.findall(
            r'<tr class="(holds|fails|not-run)"><th scope="row">(.*?)</th>', page_of(html, theorem["name"])
        )
        assert [(text(kind).split()[1], outcome.replace("-", " ")) for outcome, kind in rows] == [
            (each["kind"], each["outcome"]) for each in theorem["evidence"]
        ]


def test_the_page_names_seed_device_and_versions(html, evidence):
    report = json.loads(evidence.read_text(encoding="utf-8"))
    footer = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html[html.index("<footer") :]))
    versions = {name: value or "not installed" for name, value in report["versions"].items()}
    assert footer == {"seed": "0", "device": "cpu", **versions}


def test_the_evidence_of_the_running_version_has_no_note(html):
    assert 'role="note"' not in html


@pytest.mark.parametrize("name", ["icl-theory", "python"])
def test_evidence_of_another_version_is_noted_at_the_top(evidence, name):
    report = json.loads(evidence.read_text(encoding="utf-8"))
    report["versions"][name] = "0.0.7"
    page = report_page(gathered_in(json.dumps(report), "FILE", catalogue()), 1)
    note = re.search(r'<p class="warning" role="note">.*?</p>', page[: page.index("<nav")])[0]
    assert re.search(r"was gathered by icl-theory \S+ on Python \S+, and this report was written by", note)
    assert note.count("0.0.7") == 1


def test_every_figure_says_whether_its_numbers_are_evidence(html):
    captions = dict(re.findall(r'<figure id="figure-([a-z-]+)">.*?<span class="source">(.*?)</span>', html, re.DOTALL))
    assert captions.pop("rounding-shares") == "The numbers are those of the evidence."
    assert {"convergence", "rounding", "step-counts"} <= set(captions)
    assert all(re.match("Computed for this report by icl-theory", said) for said in captions.values())


def test_the_weights_are_drawn_and_the_proof_is_typeset(html):
    page = page_of(html, HEAD)
    assert 'aria-label="W_V"' in page
    assert re.search(r'<details class="proof">.*<math>', page, re.DOTALL)
    assert "Proved: 9 identities" in page


def test_an_erratum_shows_its_counterexamples_and_what_holds_instead(html):
    erratum = re.search(rf'<article class="erratum" data-theorem="{FALSE}">.*?</article>', html, re.DOTALL)[0]
    assert re.findall("Smallest counterexample of (reading . of 2): Gradient descent", erratum) == [
        "reading 1 of 2",
        "reading 2 of 2",
    ]
    assert f'href="#{HEAD}"' in erratum
    assert "the transformer predicts −1, claimed is 1" in text(erratum)


def test_one_counterexample_to_both_readings_is_shown_once_and_names_both():
    theorem = catalogue()["shrinking_the_y_rows_is_weight_decay_is_false"]
    page = report_page(
        Gathered(0, "cpu", {}, (Verification(theorem, (theorem.evidence("refutation", Settings()),)),)), 1
    )
    shown = text(page[page.index('id="errata"') : page.index('class="theorem"')])
    assert shown.count("Smallest counterexample of readings 1 and 2 of 2") == 1
    assert "after the step, as weight decay." in shown
    assert "before the step, as weight decay." in shown
    assert shown.count("predicts") == 1


@pytest.mark.parametrize("name", ["chebyshev", "richardson"])
def test_mathematicians_are_capitalised_within_titles(name):
    assert f"step of {name.title()} descent" in _words(f"a_step_of_{name}_descent")


def test_the_report_says_that_it_is_of_a_part_of_the_catalogue(html):
    assert f"{len(NAMES)} of {len(NAMES)} theorems verified; the catalogue has {len(catalogue())}" in text(html)


def test_verifying_first_writes_the_page_that_the_json_gives(tmp_path, capsys):
    options = [HEAD, "--seed", "2", "--instances", "1"]
    assert main(["report", *options, "--output", str(tmp_path / "first.html")]) == 0
    assert "1 theorem: 1 verified, 0 refuted (seed 2, 1 instance" in capsys.readouterr().out
    assert main(["verify", *options, "--json", str(tmp_path / "evidence.json")]) == 0
    report_written(tmp_path / "evidence.json", tmp_path / "second.html")

    def timeless(name):
        return re.sub(r'data-label="seconds">[^<]*<', "", (tmp_path / name).read_text(encoding="utf-8"))

    assert timeless("first.html") == timeless("second.html")


def test_several_processes_write_the_same_page(tmp_path):
    evidence = evidence_written(tmp_path / "evidence.json", HEAD, FALSE)
    one = report_written(evidence, tmp_path / "one.html").read_text(encoding="utf-8")
    assert main(["report", "--from", str(evidence), "--jobs", "2", "--output", str(tmp_path / "two.html")]) == 0
    assert (tmp_path / "two.html").read_text(encoding="utf-8") == one


def test_everything_that_the_evidence_says_is_escaped():
    theorem = catalogue()[HEAD]
    pieces = (Evidence("proof", HOLDS, over="<script>"), Evidence("exact", FAILS, reason='a < b & "c"'))
    gathered = Gathered(0, "cpu", {"<i>": "<b>"}, (Verification(theorem, pieces),))
    page = report_page(gathered, 1)
    assert "<i>" not in page
    assert "<b>" not in page
    assert page.count("<script>") == 1
    assert "a &lt; b &amp; &#34;c&#34;" in page


def test_a_report_of_what_fails_says_so_and_ends_with_exit_code_1(evidence, tmp_path):
    report = json.loads(evidence.read_text(encoding="utf-8"))
    report["theorems"][0]["verified"] = False
    report["theorems"][0]["evidence"][0] |= {"outcome": "fails", "reason": "it does not hold"}
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    assert main(["report", "--from", str(path), "--jobs", "1", "--output", str(tmp_path / "report.html")]) == 1
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{len(NAMES) - 1} of {len(NAMES)} theorems verified" in text(html)
    assert "it does not hold" in page_of(html, report["theorems"][0]["name"])
    assert html.count("not verified") == 1


def refused(capsys, *arguments):
    """The sentence with which the command refuses."""
    assert main(["report", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_no_output_is_refused(capsys):
    assert "the following arguments are required: --output" in refused(capsys)


def test_a_json_of_another_program_is_refused(capsys, tmp_path):
    (tmp_path / "other.json").write_text('{"theorems": "none"}', encoding="utf-8")
    said = refused(capsys, "--from", tmp_path / "other.json", "--output", tmp_path / "report.html")
    assert "other.json is no evidence of icl verify --json: the file has no 'versions'" in said
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("link", [False, True])
def test_an_output_that_is_the_evidence_itself_is_refused_and_left_as_it_is(capsys, tmp_path, evidence, link):
    source = tmp_path / "evidence.json"
    source.write_bytes(evidence.read_bytes())
    output = tmp_path / "link.html" if link else tmp_path / "." / "evidence.json"
    if link:
        output.symlink_to(source)
    said = refused(capsys, "--from", source, "--output", output)
    assert re.fullmatch(r"icl: --output .* is the evidence of --from itself: name another file to write\n", said)
    assert source.read_bytes() == evidence.read_bytes()


@pytest.mark.parametrize("source", [True, False])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(capsys, tmp_path, evidence, source, monkeypatch):
    monkeypatch.setattr(verify_command, "verified", lambda _: pytest.fail("it was verified first"))
    options = ("--from", evidence) if source else (HEAD,)
    said = refused(capsys, *options, "--output", tmp_path / "missing" / "report.html")
    assert re.fullmatch("icl: cannot write .*report.html: No such file or directory\n", said)


def test_an_output_that_is_gone_when_it_is_written_is_refused(capsys, tmp_path, evidence, monkeypatch):
    path = tmp_path / "report.html"
    monkeypatch.setattr(report_command, "require_writable", lambda output: output.mkdir())
    assert re.fullmatch(
        "icl: cannot write .*report.html: Is a directory\n",
        refused(capsys, "--from", evidence, "--jobs", 1, "--output", path),
    )


@pytest.mark.parametrize(
    ("option", "said"), [(["--seed", "1"], "--seed 1"), (["--device", "cpu"], "--device cpu"), ([HEAD], f"NAME {HEAD}")]
)
def test_options_of_verification_do_not_go_with_evidence(capsys, tmp_path, evidence, option, said):
    sentence = refused(capsys, *option, "--from", evidence, "--output", tmp_path / "report.html")
    assert f"--from takes the evidence as it is, but {said} is for verifying: drop one" in sentence


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.25, "0.25"),
        (6.4e-13, "6.4 × 10<sup>−13</sup>"),
        ("7/3", "7/3"),
        ("1" * 30, "≈ 1.1 × 10<sup>29</sup>"),
    ],
)
def test_numbers_are_written_short(value, written):
    assert number(value) == written
