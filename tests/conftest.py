"""What the tests need from the machine, the array namespaces, and the Hypothesis profile.

A test that needs something which not every machine has says so by a mark: `cuda`, `torch`, `plots`,
`latex` or `browser`. Where that is missing the test is skipped and the reason printed; but a name listed in the
environment variable ICL_REQUIRE, separated by commas, must be there, and then the test fails instead.
"""

import functools
import importlib
import os
import shutil
import warnings

import pytest
from hypothesis import settings

settings.register_profile("icl", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("icl")


def cuda_missing():
    """Why CuPy cannot compute here, or None."""
    reason = import_failure("cupy", "icl-theory[cuda12] or icl-theory[cuda13]")
    if reason is not None:
        return reason
    import cupy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cupy.arange(2).sum().item()
        except Exception as error:
            return f"CuPy cannot compute on a CUDA device: {error}"
    return None


def torch_missing():
    """Why PyTorch cannot be imported here, or None."""
    return import_failure("torch", "icl-theory[torch]")


def plots_missing():
    """Why Matplotlib cannot be imported here, or None."""
    return import_failure("matplotlib", "icl-theory[plots]")


def latex_missing():
    """Why no LaTeX can be run here, or None."""
    return program_failure("pdflatex", "lualatex")


def browser_missing():
    """Why no Chromium can be driven here, or None."""
    return program_failure("chromium") or program_failure("chromedriver") or import_failure("selenium", "selenium")


def import_failure(module, requirement):
    """Why the module cannot be imported, and what to install; or None.

    Warnings of the library itself are not ours to mend, and must not turn into a skip.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(module)
        except Exception as error:
            return f"{module} cannot be imported ({error}): install {requirement}"
    return None


def program_failure(*names):
    """That none of the programs is on the path; or None."""
    if any(shutil.which(name) for name in names):
        return None
    return f"none of {', '.join(names)} is on the path"


MISSING = {
    "cuda": functools.cache(cuda_missing),
    "torch": functools.cache(torch_missing),
    "plots": functools.cache(plots_missing),
    "latex": functools.cache(latex_missing),
    "browser": functools.cache(browser_missing),
}


def required():
    """The names in ICL_REQUIRE."""
    return {name.strip() for name in os.environ.get("ICL_REQUIRE", "").split(",")} - {""}


def pytest_configure(config):
    unknown = sorted(required() - MISSING.keys())
    if unknown:
        raise pytest.UsageError(
            f"ICL_REQUIRE names {', '.join(unknown)}: it must list, separated by commas, some of {', '.join(MISSING)}"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for name, missing in MISSING.items():
        if item.get_closest_marker(name) is None:
            continue
        reason = missing()
        if reason is None:
            continue
        if name in required():
            pytest.fail(f"ICL_REQUIRE names {name}, but {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture(
    params=[
        pytest.param("array_api_compat.numpy", id="numpy"),
        pytest.param("array_api_strict", id="array_api_strict"),
        pytest.param("array_api_compat.cupy", id="cupy", marks=pytest.mark.cuda),
    ]
)
def xp(request):
    """An array namespace: NumPy, the strict reference, and CuPy where there is a device."""
    return importlib.import_module(request.param)


DRAWN_FROM = {"seed": 3, "tasks": 40}
"""What the pictures of the fixture ``drawn`` are drawn from."""


@pytest.fixture(scope="session")
def short_run(tmp_path_factory):
    """Where a short training run was saved: one layer, 60 small steps."""
    from numerics.training import train
    from numerics.training_run import TrainingRun
    from numerics.training_settings import von_oswald

    path = tmp_path_factory.mktemp("run") / "short"
    train(TrainingRun.begun(von_oswald(steps=60, batch=32, seed=DRAWN_FROM["seed"]))).save(path)
    return path


@pytest.fixture(scope="session")
def drawn(short_run):
    """Every picture as a figure by its name, each drawn once in a process."""
    from proofs.picture import Drawing
    from proofs.pictures import pictures

    return functools.cache(lambda name: pictures()[name].draw(Drawing(**DRAWN_FROM, run=short_run)))
