"""The built wheel, not the checkout: what it contains, and that it runs on its own."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("constructions", "numerics", "proofs", "pytest_icl")

# One worker, so that the wheel is built once.
pytestmark = pytest.mark.xdist_group("wheel")


def output_of(*command, cwd):
    """What the command prints; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, f"{' '.join(map(str, command))}\n{run.stdout}{run.stderr}"
    return run.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    output_of(sys.executable, "-m", "build", "--wheel", "--outdir", folder, CHECKOUT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def members(wheel):
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def environment(wheel, tmp_path_factory):
    """A fresh environment: the wheel, and the libraries installed here, but not the checkout.

    A folder named in a .pth file is searched, but its own .pth files, by which an editable installation
    points to the checkout, are not read.
    """
    folder = tmp_path_factory.mktemp("environment").resolve()
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    output_of(*pip, cwd=folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n", encoding="utf-8")
    return folder


def test_wheel_holds_the_packages_and_nothing_else(wheel, members):
    distribution = "-".join(wheel.name.split("-")[:2])
    assert {name.split("/")[0] for name in members} == {*PACKAGES, f"{distribution}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_holds_every_module_of_the_package(package, members):
    modules = {f"{package}/{path.name}" for path in (CHECKOUT / package).glob("*.py")}
    assert modules
    assert modules == {name for name in members if name.startswith(f"{package}/") and name.endswith(".py")}


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_says_that_the_package_is_typed(package, members):
    assert f"{package}/py.typed" in members


def test_wheel_holds_the_shipped_tables(members):
    assert {"numerics/data/longley.csv", "numerics/data/norris.csv", "numerics/data/README.md"} <= members


def test_wheel_holds_what_the_report_is_made_of(members):
    assert {f"proofs/page/report.{ending}" for ending in ("html.jinja", "css", "js")} <= members


def test_installed_packages_import_outside_the_checkout(environment, tmp_path):
    code = """if True:
        import constructions, numerics, proofs
        for package in (constructions, numerics, proofs):
            print(package.__file__)
    """
    files = output_of(environment / "bin" / "python", "-c", code, cwd=tmp_path).splitlines()
    assert [Path(file).is_relative_to(environment) for file in files] == [True, True, True]


def test_installed_command_shows_its_help_outside_the_checkout(environment, tmp_path):
    assert "icl" in output_of(environment / "bin" / "icl", "--help", cwd=tmp_path)


def test_installed_command_runs_on_a_shipped_table_outside_the_checkout(environment, tmp_path):
    command = ("run", "newton", "norris", "--target", "y", "--coefficients")
    assert "1.00211681802045" in output_of(environment / "bin" / "icl", *command, cwd=tmp_path)


def test_installed_plugin_is_found_by_pytest_outside_the_checkout(environment, tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import pytest\nfrom constructions import GradientDescent\n\n"
        "@pytest.mark.construction\ndef test_mine():\n    return GradientDescent\n",
        encoding="utf-8",
    )
    command = ("-m", "pytest", "-q", "--strict-markers", "--icl-device", "cpu", "test_mine.py")
    assert "1 passed" in output_of(environment / "bin" / "python", *command, cwd=tmp_path)
