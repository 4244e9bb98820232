"""The pytest plugin: that a construction implements its algorithm, as an assertion or as a marked test.

    from pytest_icl import assert_implements

    def test_my_layers_run_heavy_ball():
        assert_implements(HeavyBall)

    @pytest.mark.construction
    def test_my_layers_run_nesterov():
        return Nesterov

A failure shows the report of ``proofs.check``: the counterexample, the first wrong layer, slot and group, and what
would mend it. ``pytest --icl-device cuda`` adds the runs on a CUDA device. Everything is imported where it is used: a
suite without constructions pays nothing for the plugin.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from constructions.construction import Construction

__all__ = ["assert_implements"]

_DEVICE: ContextVar[str] = ContextVar("icl_device", default="cpu")
"""The device of the test that is running."""


def assert_implements(
    construction: Construction | type[Construction], *, seed: int = 0, instances: int = 10, device: str | None = None
) -> None:
    """Nothing, if a construction is proved to run its algorithm.

    Args:
        construction: an instance, or a class, whose parameters are then left free.
        seed, instances: of the random draws.
        device: ``"cpu"`` or ``"cuda"``; by default what the option ``--icl-device`` says.

    Raises:
        AssertionError: if it is refuted, or not proved; the message is the report.
        TypeError, ValueError: if it is no construction, or its shapes do not fit.
    """
    __tracebackhide__ = True
    from proofs.checking import check
    from proofs.evidence import Settings

    found = check(construction, settings=Settings(seed, instances, device or _DEVICE.get()))
    if not found.holds:
        raise AssertionError(str(found))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("icl", "transformers with constructed weights")
    group.addoption("--icl-device", choices=("cpu", "cuda"), default="cpu", help="cuda: check on a CUDA device as well")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "construction(seed, instances, device): the test returns a construction, which must be proved"
    )
    if config.getoption("--icl-device") == "cuda":
        from numerics.device import NoDevice, require_device

        try:
            require_device()
        except NoDevice as error:
            raise pytest.UsageError(f"--icl-device cuda: {error}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    token = _DEVICE.set(item.config.getoption("--icl-device"))
    try:
        return (yield)
    finally:
        _DEVICE.reset(token)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a marked test: what it returns is checked."""
    __tracebackhide__ = True
    marker = pyfuncitem.get_closest_marker("construction")
    if marker is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    returned = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    if returned is None:
        pytest.fail("a test marked construction must return the construction that is to be checked", pytrace=False)
    assert_implements(returned, **marker.kwargs)
    return True
