"""The pytest plugin: a failed check is the message of a failed test, and other suites do not notice it."""

import sys
from pathlib import Path

import pytest
from test_floors import CHECKOUT, imports_in

import proofs  # noqa: F401  # pytester forgets what is first imported in its runs, and NumPy cannot be imported twice

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from constructions import GradientDescent
from pytest_icl import assert_implements

class WrongSign(GradientDescent):
    def read_out(self, stream):
        return stream["y", "query"]
"""


@pytest.fixture
def outcome(pytester, monkeypatch):
    """The outcome of a suite of these tests."""

    def outcome(tests, *options):
        path = pytester.makepyfile(SUITE + tests)
        monkeypatch.delitem(sys.modules, Path(path).stem, raising=False)
        return pytester.runpytest_inprocess("-p", "pytest_icl", "--strict-markers", "-p", "no:cacheprovider", *options)

    return outcome


def test_a_construction_that_is_proved_passes(outcome):
    tests = "def test_it():\n    assert_implements(GradientDescent)\n    assert_implements(GradientDescent([1]))\n"
    outcome(tests.replace("([1])", "(step_sizes=[1])")).assert_outcomes(passed=1)


def test_a_failure_shows_the_counterexample_and_the_hint(outcome):
    found = outcome("def test_it():\n    assert_implements(WrongSign)\n")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            ">*assert_implements(WrongSign)",
            "E *AssertionError: WrongSign: refuted",
            "E *counterexample: 1 layer, n = 1, d = 1, m = 1: X = 1, Y = 1, x_query = 1*",
            "E *first wrong: the read-out",
            "E *hint: read-out: change its sign; then the check passes, and is proved for all sizes",
        ]
    )
    found.stdout.no_fnmatch_line("*pytest_icl*Error*")


def test_a_marked_test_returns_the_construction_to_check(outcome):
    tests = """
@pytest.fixture
def rate():
    return 1

@pytest.mark.construction(instances=2)
def test_right(rate):
    return GradientDescent(step_sizes=[rate])

@pytest.mark.construction
def test_wrong():
    return WrongSign

@pytest.mark.construction
def test_nothing():
    pass
"""
    found = outcome(tests)
    found.assert_outcomes(passed=1, failed=2)
    found.stdout.fnmatch_lines(["*must return the construction*"])


def test_what_is_no_construction_is_refused(outcome):
    found = outcome("def test_it():\n    assert_implements(3)\n")
    found.stdout.fnmatch_lines(["E *TypeError: 3 is a int, not a Construction*"])


def test_cuda_without_a_device_ends_the_run_with_what_to_install(outcome, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    found = outcome("def test_it():\n    pass\n", "--icl-device", "cuda")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*--icl-device cuda: CuPy cannot be imported*icl-theory[[]cuda12]*"])


@pytest.mark.cuda
def test_the_device_reaches_the_check(outcome):
    outcome("def test_it():\n    assert_implements(GradientDescent)\n", "--icl-device", "cuda").assert_outcomes(
        passed=1
    )


def test_tests_without_the_mark_run_as_ever(outcome):
    outcome("def test_it(tmp_path):\n    assert tmp_path.exists()\n").assert_outcomes(passed=1)


def test_the_plugin_imports_nothing_but_pytest_before_it_is_used():
    path = CHECKOUT / "pytest_icl" / "__init__.py"
    eager = [
        each
        for each in imports_in(path.read_text(encoding="utf-8"), path.name)
        if each.function is None and not each.is_for_types
    ]
    assert {each.library for each in eager} - sys.stdlib_module_names == {"pytest"}
