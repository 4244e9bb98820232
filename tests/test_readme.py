"""Everything that the README shows runs.

Its python and pycon blocks run in order, in one namespace; its `icl` commands exit with 0.
"""

import doctest
import re
import shlex
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
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


def run_python(block, namespace):
    """Runs a block of statements; a traceback shows the line of the README."""
    exec(compile("\n" * block.line + block.source, str(README), "exec"), namespace)


def run_doctest(block, namespace):
    """Runs a block of prompts and expected answers in the same namespace."""
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    examples = doctest.DocTestParser().get_doctest(block.source, {}, "README", str(README), block.line)
    examples.globs = namespace
    report = []
    doctest.DocTestRunner(optionflags=flags).run(examples, out=report.append, clear_globs=False)
    assert examples.examples, f"the pycon block on line {block.line + 1} of the README has no prompt >>>"
    assert not report, "".join(report)


# Read while pytest collects: a missing README must fail its tests, not stop all the others.
TEXT = README.read_text(encoding="utf-8") if README.exists() else ""


def test_readme_has_a_python_block():
    assert [block for block in fenced_blocks(TEXT) if block.label == "python"]


def test_every_block_of_the_readme_has_a_known_label():
    unknown = [block for block in fenced_blocks(TEXT) if block.label not in LABELS]
    assert not unknown, f"a block that is not one of {sorted(LABELS)} would not be tested: {unknown}"


def test_every_fence_of_the_readme_is_closed():
    fences = re.findall(r"^\s*(?:```|~~~)", TEXT, re.MULTILINE)
    assert len(fences) == 2 * len(fenced_blocks(TEXT))


def test_examples_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    blocks = fenced_blocks(TEXT)
    assert blocks
    for block in blocks:
        if block.label == "python":
            run_python(block, vars(module))
        elif block.label == "pycon":
            run_doctest(block, vars(module))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.cuda] if re.search(r"--device[ =]cuda", command) else [])
        for command in icl_commands(TEXT)
    ],
)
def test_command_of_the_readme_succeeds(command, tmp_path):
    arguments = shlex.split(command, comments=True)
    assert not {"|", ">", ">>", "<", "&&", ";", "&"} & set(arguments), "shown without a shell's operators, please"
    run = subprocess.run(
        [sys.executable, "-m", "proofs.command_line", *arguments[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout, "a command that prints nothing has not been run"


def test_a_wrong_answer_in_a_pycon_block_is_found():
    with pytest.raises(AssertionError, match=r"Expected:\s+3\s+Got:\s+2"):
        run_doctest(FencedBlock("pycon", ">>> 1 + 1\n3\n", 0), {})


def test_commands_are_found_in_console_blocks_only():
    text = "```console\n$ icl verify\nverified\n$ make test\n```\n\n```text\n$ icl report\n```\n"
    assert icl_commands(text) == ["icl verify"]
