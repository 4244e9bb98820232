"""The project's own promises: its commands, its extras and its version."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from proofs.publications import PUBLICATIONS

CHECKOUT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"safetensors", "cuda12", "cuda13", "plots", "torch", "dev"}


@pytest.mark.parametrize("command", ["make verify", "make test"])
def test_readme_shows_the_command(command):
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^(\$ )?{command}\b", readme, re.MULTILINE)


@pytest.mark.parametrize("command", ["make test", "make lint"])
def test_continuous_integration_runs_the_command(command):
    assert command in (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_continuous_integration_stops_at_the_first_failure():
    assert "set -euo pipefail" in (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["torch", "browser"])
def test_continuous_integration_lets_no_such_test_skip(name):
    (required,) = re.findall(r"^export ICL_REQUIRE=(\S+)$", (CHECKOUT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    assert name in required.split(",")


def test_extras_are_the_ones_we_document():
    assert PROJECT["optional-dependencies"].keys() == EXTRAS


def test_every_extra_that_a_message_names_exists():
    sources = [
        path.read_text(encoding="utf-8")
        for package in ("constructions", "numerics", "proofs")
        for path in (CHECKOUT / package).glob("*.py")
    ]
    named = set(re.findall(r"icl-theory\[(\w+)\]", "\n".join(sources)))
    assert named <= EXTRAS


def test_installed_version_is_the_declared_one():
    assert metadata.version("icl-theory") == PROJECT["version"]


def test_citation_names_the_version_and_every_publication():
    citation = (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    for publication in PUBLICATIONS.values():
        assert f'title: "{publication.title}"' in citation
        assert f'url: "{publication.address}"' in citation
