"""The CUDA device: what is said where there is none, and what is moved where there is one."""

import sys
import types
import warnings
from fractions import Fraction

import numpy as np
import pytest

from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated
from constructions.preconditioned import PreconditionedDescent
from numerics.device import NoDevice, device_name, on_device, require_device


class Moved:
    """An array of the stand-in for CuPy."""

    def __init__(self, array):
        self.array = array

    def sum(self):
        return self.array.sum()


@pytest.fixture
def stand_in(monkeypatch):
    """CuPy's few names that are used, on the host; a test may break them."""
    cupy = types.ModuleType("cupy")
    cupy.__version__ = "13.0"
    cupy.ndarray = Moved
    cupy.asarray = Moved
    cupy.arange = lambda size: Moved(np.arange(size))
    properties = {"name": b"A device"}
    cupy.cuda = types.SimpleNamespace(
        Device=lambda: types.SimpleNamespace(id=0),
        runtime=types.SimpleNamespace(getDeviceProperties=lambda number: properties),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


def test_missing_cupy_is_said_with_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(NoDevice, match=r"CuPy cannot be imported .*icl-theory\[cuda12\] or icl-theory\[cuda13\]"):
        require_device()


def test_missing_device_is_said_in_one_line(stand_in):
    def fails(size):
        warnings.warn("CUDA path could not be detected", stacklevel=1)
        raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected\nand more")

    stand_in.arange = fails
    with pytest.raises(
        NoDevice, match=r"no CUDA-capable device is detected\): use a machine with .*\[cuda12\]"
    ) as raised:
        require_device()
    assert "\n" not in str(raised.value)


def test_device_that_computes_wrongly_is_refused(stand_in):
    stand_in.arange = lambda size: Moved(np.zeros(size))
    with pytest.raises(NoDevice, match=r"computes 0 \+ 1 \+ 2 = 0"):
        require_device()


def test_device_name_is_that_of_the_current_device(stand_in):
    assert device_name() == "A device"


def test_arrays_are_moved_and_numbers_are_not(stand_in):
    array = np.ones((2, 3))
    assert on_device(array).array is array
    for number in (3, 0.5, Fraction(1, 3), None):
        assert on_device(number) is number
    moved = on_device([array, 2])
    assert (moved[0].array is array, moved[1]) == (True, 2)


def test_what_is_on_the_device_stays_there(stand_in):
    moved = Moved(np.ones(2))
    assert on_device(moved) is moved


def test_matrices_of_a_construction_are_moved_and_scalars_are_not(stand_in):
    W_0 = np.ones((1, 2))
    moved = on_device(GradientDescent(step_sizes=[Fraction(1, 3), 0.5], W_0=W_0))
    assert moved.step_sizes == (Fraction(1, 3), 0.5)
    assert moved.W_0.array is W_0


def test_matrices_of_every_layer_are_moved(stand_in):
    A = [np.eye(2), 2 * np.eye(2)]
    moved = on_device(PreconditionedDescent(preconditioners=A))
    assert [each.array for each in moved.preconditioners] == A
    assert moved.W_0 is None


def test_a_looped_matrix_stays_looped(stand_in):
    A = np.eye(2)
    moved = on_device(PreconditionedDescent(preconditioners=Repeated(A, 5)))
    assert isinstance(moved.preconditioners, Repeated)
    assert (moved.preconditioners.depth, moved.preconditioners.value.array) == (5, A)


@pytest.mark.parametrize("value", [np.array([[Fraction(1)]], dtype=object), "text", {1: 2}])
def test_what_no_device_holds_is_refused(stand_in, value):
    with pytest.raises(TypeError, match="cannot be moved to a CUDA device"):
        on_device(value)


@pytest.mark.cuda
def test_a_construction_runs_on_the_device_with_the_result_of_the_host():
    rng = np.random.default_rng(0)

    def drawn(rows, columns):
        # Small whole numbers and n = 2, so that every product and sum is exact.
        return rng.integers(-3, 4, (rows, columns)).astype(np.float64)

    construction = PreconditionedDescent(preconditioners=[drawn(3, 3), drawn(3, 3)], W_0=drawn(1, 3))
    X, Y, x_query = drawn(3, 2), drawn(1, 2), drawn(3, 1)
    moved = on_device(construction)(on_device(X), on_device(Y), on_device(x_query))
    assert np.array_equal(moved.get(), construction(X, Y, x_query))
