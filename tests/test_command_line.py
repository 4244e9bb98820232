"""The command line: what each command prints, where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from constructions.as_printed import GDPlusPlusWithStartInValue
from proofs import reports, show_command, verify_command
from proofs.catalogue import catalogue
from proofs.command_line import main
from proofs.construction_theorem import ConstructionTheorem
from proofs.evidence import FAILS, HOLDS, KINDS, NOT_RUN, Evidence
from proofs.theorem import SYSTEMS, Theorem

NAME = "linear_attention_head_takes_one_gradient_step"
OTHER = "preconditioner_without_transpose_as_printed_is_false"

BROKEN = ConstructionTheorem(
    name="printed_slip_taken_for_a_theorem",
    system="this project",
    reference="none",
    statement="W_0 may stay in the value weights of GD++.",
    prototype=GDPlusPlusWithStartInValue(step_sizes=[1], curvature_steps=[1], W_0=[[1]]),
)


@dataclass(frozen=True, kw_only=True)
class Told(Theorem):
    """A theorem whose evidence is what it is told."""

    told: tuple[Evidence, ...]

    @property
    def kinds(self):
        return tuple(evidence.kind for evidence in self.told)

    def evidence(self, kind, settings):
        return next(evidence for evidence in self.told if evidence.kind == kind)

    def shown(self):
        return "as told"


def told(*evidence):
    return Told(name="told", system="this project", reference="none", statement="none", told=evidence)


@pytest.fixture
def only(monkeypatch):
    """Puts one theorem in the place of the whole catalogue."""

    def put(theorem):
        monkeypatch.setattr(verify_command, "catalogue", lambda: {theorem.name: theorem})

    return put


def in_a_process(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "proofs.command_line", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


# icl list


def test_list_names_every_theorem_on_a_line_of_its_own(capsys):
    assert main(["list"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line in catalogue()] == sorted(
        catalogue(), key=lambda name: SYSTEMS.index(catalogue()[name].system)
    )


def test_list_says_system_reference_and_kinds_of_evidence(capsys):
    main(["list"])
    out = capsys.readouterr().out
    for theorem in catalogue().values():
        assert re.search(
            rf"^{re.escape(theorem.system)}\n(  .*\n)*  {theorem.name}\n"
            rf"    evidence: {', '.join(theorem.kinds)}\n    reference: {re.escape(theorem.reference)}\n",
            out,
            re.MULTILINE,
        )


def test_list_folds_on_a_narrow_terminal_without_losing_a_word(capsys, monkeypatch):
    main(["list"])
    wide = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["list"])
    narrow = capsys.readouterr().out
    assert narrow.split() == wide.split()
    assert max(len(line) for line in narrow.splitlines() if line.strip() not in catalogue()) <= 40


# icl show


def test_show_prints_what_a_theorem_claims_and_its_proof(capsys):
    assert main(["show", NAME]) == 0
    out = capsys.readouterr().out
    theorem = catalogue()[NAME]
    assert out.startswith(f"{NAME}\n\nsystem: {theorem.system}\nreference: {theorem.reference}\n")
    assert theorem.statement in out
    assert theorem.shown() in out


def test_show_prints_a_refuted_statement_with_its_counterexample(capsys):
    assert main(["show", OTHER]) == 0
    assert "Counterexample: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("gradient_descent", "GradientDescent"),
        ("gradient-descent", "GradientDescent"),
        ("gdpp", "GDPlusPlus"),
        ("gd_plus_plus", "GDPlusPlus"),
        ("preconditioned", "PreconditionedDescent"),
        ("relaxed_preconditioned_descent", "RelaxedPreconditionedDescent"),
    ],
)
def test_show_prints_a_construction_by_its_name(capsys, name, cls):
    assert main(["show", name]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.rpartition(".")[2] == cls
    assert [line for line in rest if line.startswith("theorem: ")]


@pytest.mark.parametrize("name", [NAME, "gdpp"])
def test_show_prints_latex(capsys, name):
    assert main(["show", name, "--latex"]) == 0
    out = capsys.readouterr().out
    assert r"\begin{bmatrix}" in out
    assert (r"\textbf{Theorem}" in out) == (name == NAME)


# icl verify


def test_verify_prints_a_line_per_theorem_and_a_summary(capsys):
    assert main(["verify", OTHER, NAME, NAME, "--instances", "2", "--seed", "3"]) == 0
    first, second, not_run, summary = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"verified +{NAME} +✓ proof  ✓ exact  ✓ float  – cuda  ✓ refutation", first)
    assert re.fullmatch(rf"verified +{OTHER}  ✓ proof  ✓ exact  ✓ float  ✓ refutation", second)
    assert not_run == "not run: cuda of 1 theorem (needs --device cuda)"
    assert re.fullmatch(r"2 theorems: 2 verified, 0 refuted \(seed 3, 2 instances, cpu, \d+\.\d s\)", summary)


def test_verify_writes_the_json_that_is_documented(capsys, tmp_path):
    path = tmp_path / "report.json"
    assert main(["verify", NAME, OTHER, "--json", str(path), "--instances", "2", "--seed", "5"]) == 0
    report = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert list(report) == ["seed", "device", "versions", "theorems"]
    assert (report["seed"], report["device"]) == (5, "cpu")
    assert list(report["versions"]) == ["python", *reports.LIBRARIES]
    assert [name for name, version in report["versions"].items() if version is None] in ([], ["cupy"])
    assert [theorem["name"] for theorem in report["theorems"]] == [NAME, OTHER]
    for held in report["theorems"]:
        theorem = catalogue()[held["name"]]
        assert list(held) == ["name", "system", "reference", "statement", "verified", "evidence"]
        assert (held["system"], held["reference"], held["statement"]) == (
            theorem.system,
            theorem.reference,
            theorem.statement,
        )
        assert held["verified"] is True
        assert [evidence["kind"] for evidence in held["evidence"]] == list(theorem.kinds)
        for evidence in held["evidence"]:
            assert list(evidence) == ["kind", "outcome", "over", "instances", "worst", "bound", "seconds", "reason"]
            assert evidence["kind"] in KINDS
            assert evidence["outcome"] in (HOLDS, FAILS, NOT_RUN)
            assert (evidence["reason"] is None) == (evidence["outcome"] == HOLDS)


def test_infinite_bounds_are_strings_in_json(only, capsys, tmp_path):
    only(told(Evidence("float", HOLDS, worst=float("nan"), bound=float("inf"))))
    path = tmp_path / "report.json"
    assert main(["verify", "--json", str(path)]) == 0
    (theorem,) = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)["theorems"]
    assert (theorem["evidence"][0]["worst"], theorem["evidence"][0]["bound"]) == ("nan", "inf")


def test_verify_refutes_a_theorem_that_is_broken(only, capsys, tmp_path):
    only(BROKEN)
    path = tmp_path / "report.json"
    assert main(["verify", "--instances", "2", "--json", str(path)]) == 1
    out, err = capsys.readouterr()
    first, *reasons, _, summary = out.splitlines()
    assert re.fullmatch(rf"REFUTED +{BROKEN.name}  ✗ proof  ✗ exact  ✗ float  – cuda  ✓ refutation", first)
    assert [reason.split(" fails ")[0].strip() for reason in reasons] == ["proof", "exact", "float"]
    assert "slot 'y' of group 'context'" in reasons[1]
    assert summary.startswith("1 theorem: 0 verified, 1 refuted (")
    assert err == ""
    (theorem,) = json.loads(path.read_text(encoding="utf-8"))["theorems"]
    assert theorem["verified"] is False


def test_a_theorem_of_which_nothing_ran_is_not_verified(only, capsys):
    only(told(Evidence("cuda", NOT_RUN, reason="needs --device cuda")))
    assert main(["verify"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("not verified  told  – cuda\n")
    assert "1 theorem: 0 verified, 0 refuted, 1 not verified (" in out


def test_long_numbers_in_a_reason_are_abridged(only, capsys):
    only(told(Evidence("exact", FAILS, over="n 1..2", instances=2, reason=f"{10**40} instead of 1/7")))
    assert main(["verify"]) == 1
    assert "exact fails (n 1..2), instance 2: 10000000...(41 digits) instead of 1/7\n" in capsys.readouterr().out


def test_reasons_fold_on_a_terminal(only, capsys, monkeypatch):
    only(told(Evidence("exact", FAILS, reason="word " * 40)))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["verify"])
    out = capsys.readouterr().out
    assert out.count("word") == 40
    assert max(len(line) for line in out.splitlines() if "word" in line) <= 60


def test_outcomes_are_ascii_where_the_output_is(capsys):
    run = in_a_process("verify", NAME, "--instances", "1", PYTHONIOENCODING="ascii")
    assert run.returncode == 0
    assert f"{NAME}  + proof  + exact  + float  - cuda  + refutation\n" in run.stdout


# As a process


def test_process_ends_with_code_2_and_no_traceback():
    run = in_a_process("verify", "no_such_theorem")
    assert (run.returncode, run.stdout) == (2, "")
    assert re.fullmatch("icl: there is no theorem 'no_such_theorem'.*\n", run.stderr)


def test_piped_output_has_neither_colours_nor_progress_bars():
    run = in_a_process("verify", NAME, "--instances", "1")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"verified      {NAME}  ")
    assert "\x1b" not in run.stdout


def test_version_is_that_of_the_distribution():
    run = in_a_process("--version")
    assert (run.returncode, run.stdout) == (0, f"icl-theory {reports.version('icl-theory')}\n")


def test_a_reader_that_goes_away_causes_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-m", "proofs.command_line", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_an_interruption_causes_no_traceback(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(show_command, "catalogue", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr() == ("", "icl: interrupted\n")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_progress_bar_goes_to_the_terminal_and_not_into_the_output():
    reader, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "proofs.command_line", "verify", NAME, "--instances", "1"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    shown = b""
    # A terminal without a writer is at its end for some systems, and an error for others.
    while True:
        try:
            piece = os.read(reader, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    out, _ = process.communicate()
    os.close(reader)
    assert process.returncode == 0
    assert b"1 of 1" in shown
    assert b"\x1b" not in out
    assert out.startswith(b"verified")
