"""Everything that the README and the pages of docs/ show runs.

The python and pycon blocks of a page run in order, in one namespace; its `icl` commands exit with 0, and where a page
shows what a command prints, it prints that. A python block whose first line is a file's name, as in `# mine.py`, is
that file for the commands.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
LABELS = {"python", "pycon", "console", "text"}
FENCE = re.compile(r"^```(?P<label>[^\n`]*)\n(?P<source>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class FencedBlock:
    """A fenced block: its label, its text, and the line of the file on which that text begins, from 0."""

    label: str
    source: str
    line: int


def fenced_blocks(text):
    """The fenced blocks of a Markdown text, in order."""
    return [
        FencedBlock(match["label"].strip(), match["source"], text.count("\n", 0, match.start("source")))
        for match in FENCE.finditer(text)
    ]


def icl_commands(text):
    """The lines `$ icl ...` of the console blocks, without the `$ `, in order."""
    return [
        line.removeprefix("$ ")
        for block in fenced_blocks(text)
        if block.label == "console"
        for line in block.source.splitlines()
        if line.startswith("$ icl ")
    ]


def shown_output(text, command):
    """The lines that a console block shows beneath a command; a line `...` stands for any."""
    lines = []
    for block in fenced_blocks(text):
        shown, showing = block.source.splitlines(), False
        for line in shown if block.label == "console" else []:
            if line.startswith("$ "):
                showing = line == f"$ {command}"
            elif showing and line.strip() not in ("", "..."):
                lines.append(line)
    return lines


def run_python(block, namespace, page="page"):
    """Runs a block of statements; a traceback shows the line of the page."""
    exec(compile("\n" * block.line + block.source, str(page), "exec"), namespace)


def run_doctest(block, namespace, page="page"):
    """Runs a block of prompts and expected answers in the same namespace."""
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    examples = doctest.DocTestParser().get_doctest(block.source, {}, "page", str(page), block.line)
    examples.globs = namespace
    report = []
    doctest.DocTestRunner(optionflags=flags).run(examples, out=report.append, clear_globs=False)
    assert examples.examples, f"the pycon block on line {block.line + 1} of {page} has no prompt >>>"
    assert not report, "".join(report)


# Read while pytest collects: a missing README must fail its tests, not stop all the others.
TEXTS = {page.name: page.read_text(encoding="utf-8") if page.exists() else "" for page in PAGES}
NAMES = list(TEXTS)
COMMANDS = [(name, command) for name, text in TEXTS.items() for command in dict.fromkeys(icl_commands(text))]


NEEDS = {"cuda": r"--device[ =]cuda", "torch": r"--format[ =]torch"}


def test_readme_has_a_python_block():
    assert [block for block in fenced_blocks(TEXTS["README.md"]) if block.label == "python"]


@pytest.mark.parametrize("name", NAMES)
def test_every_block_has_a_known_label(name):
    unknown = [block for block in fenced_blocks(TEXTS[name]) if block.label not in LABELS]
    assert not unknown, f"a block that is not one of {sorted(LABELS)} would not be tested: {unknown}"


@pytest.mark.parametrize("name", NAMES)
def test_every_fence_is_closed(name):
    fences = re.findall(r"^\s*(?:```|~~~)", TEXTS[name], re.MULTILINE)
    assert len(fences) == 2 * len(fenced_blocks(TEXTS[name]))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_between_the_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", TEXTS[page.name]):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.torch] * ("to_torch" in text)) for name, text in TEXTS.items()]
)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for block in fenced_blocks(TEXTS[name]):
        if block.label == "python":
            run_python(block, vars(module), name)
        elif block.label == "pycon":
            run_doctest(block, vars(module), name)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        pytest.param(
            name,
            command,
            marks=[getattr(pytest.mark, mark) for mark, needs in NEEDS.items() if re.search(needs, command)],
        )
        for name, command in COMMANDS
    ],
)
def test_command_succeeds_and_prints_what_is_shown(name, command, tmp_path):
    for block in fenced_blocks(TEXTS[name]):
        if named := re.match(r"# (\w+\.py)\n", block.source):
            (tmp_path / named[1]).write_text(block.source, encoding="utf-8")
    arguments = shlex.split(command, comments=True)
    assert not {"|", ">", ">>", "<", "&&", ";", "&"} & set(arguments), "shown without a shell's operators, please"
    run = subprocess.run(
        [sys.executable, "-m", "proofs.command_line", *arguments[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout, "a command that prints nothing has not been run"
    shown = shown_output(TEXTS[name], command)
    printed = [" ".join(line.split()) for line in run.stdout.splitlines()]
    missing = [line for line in shown if " ".join(line.split()) not in printed]
    assert not missing, f"{name} shows lines that {command!r} does not print: {missing}"


def test_the_report_that_the_readme_shows_is_the_one_that_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    blocks = fenced_blocks(TEXTS["README.md"])
    (shown,) = (place for place, block in enumerate(blocks) if block.source.startswith("Unmasked: refuted"))
    (file,) = (block for block in blocks if block.source.startswith("# heavy_ball.py"))
    run_python(file, vars(module))
    run_python(blocks[shown - 1], vars(module))
    assert capsys.readouterr().out.startswith(blocks[shown].source)


def test_a_wrong_answer_in_a_pycon_block_is_found():
    with pytest.raises(AssertionError, match=r"Expected:\s+3\s+Got:\s+2"):
        run_doctest(FencedBlock("pycon", ">>> 1 + 1\n3\n", 0), {})


def test_commands_are_found_in_console_blocks_only():
    text = "```console\n$ icl verify\nverified\n$ make test\n```\n\n```text\n$ icl report\n```\n"
    assert icl_commands(text) == ["icl verify"]


def test_what_a_page_shows_beneath_a_command_is_found():
    text = "```console\n$ icl verify x\nverified  x\n...\n\n$ icl list\none\n```\n"
    assert shown_output(text, "icl verify x") == ["verified  x"]
    assert shown_output(text, "icl list") == ["one"]
