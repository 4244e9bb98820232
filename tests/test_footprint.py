"""How much a run holds at once: counted without numbers, against what Python and NumPy allocate; and what follows."""

import sys
import types

import numpy as np
import pytest

from benchmarks.growth import peak_bytes
from constructions.attention import Head
from constructions.block import materialised
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer
from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics import floats
from numerics.device import free_bytes, on_device
from numerics.floats import FloatBlock, count_in_memory
from numerics.footprint import SizeBlock, numbers_at_once
from proofs.catalogue import catalogue
from proofs.construction_theorem import ConstructionTheorem
from proofs.evidence import Settings

BATCH = 40_000

SHARED = (
    "position_head_copies_next_token",
    "two_heads_merge_alternating_prompt",
    "interleaved_prompt_takes_gradient_steps",
)
"""Networks whose position codes, T x T for T tokens, are shared by all prompts but counted for each."""

NAMES = [name for name, theorem in catalogue().items() if isinstance(theorem, ConstructionTheorem)]


def batch_of(entry):
    return np.repeat(np.asarray(entry, dtype=np.float64)[None], BATCH, axis=0)


def counted_and_allocated(function, *entries):
    """What one prompt takes, in numbers: as counted, and as allocated for each prompt of a batch."""
    batches = [batch_of(entry) for entry in entries]
    return numbers_at_once(function, *entries), peak_bytes(lambda: function(*batches)) / (8 * BATCH)


@pytest.mark.parametrize("name", NAMES)
def test_forward_pass_allocates_no_more_than_counted_and_no_less_than_a_third(name):
    *_, (construction, prompt) = catalogue()[name].instances(Settings(seed=1, instances=4), np.float64)
    names = [name for name, _ in prompt.extras]

    def predicted(X, Y, x_query, *extras):
        held = Prompt(X, Y, x_query, tuple(zip(names, extras, strict=True))).lifted()
        return materialised(forward(construction, held), held.X).entry

    entries = prompt.X, prompt.Y, prompt.x_query, *(entry for _, entry in prompt.extras)
    counted, allocated = counted_and_allocated(predicted, *entries)
    # One number each for the objects of Python.
    assert allocated - 1 < counted
    assert counted < 3 * (allocated + 1) or name in SHARED


@pytest.mark.parametrize("score", ["linear", "relu", "exp", "softmax"])
def test_scores_of_every_kind_are_counted(score):
    rng = np.random.default_rng(0)

    def attended(X):
        block = X if isinstance(X, SizeBlock) else FloatBlock.lift(X)
        head = Head(
            key=Weight({("k", "x"): 1}), query=Weight({("k", "x"): 1}), value=Weight({("x", "x"): 1}), score=score
        )
        stream = Stream({"x": 3}, {"context": 12}, {("x", "context"): block})
        return Layer(Attention(head))(stream)["x", "context"].entry

    counted, allocated = counted_and_allocated(attended, rng.standard_normal((3, 12)))
    assert allocated - 1 < counted < 3 * (allocated + 1)
    assert (counted > 12 * 12) == (score != "linear")


def test_product_is_counted_with_copies_of_both_factors():
    assert numbers_at_once(lambda A, B: A @ B, np.ones((2, 3)), np.ones((3, 4))) == 8 + 6 + 12


def test_matrix_of_a_construction_takes_nothing():
    X, Y, x = np.ones((3, 5)), np.ones((1, 5)), np.ones((3, 1))
    held = [GradientDescent(step_sizes=[1], W_0=W_0) for W_0 in (None, np.ones((1, 3)))]
    without, with_start = (numbers_at_once(lambda *e, c=c: forward(c, Prompt(*e)), X, Y, x) for c in held)
    assert without <= with_start < without + 3 + 5 + 1 + 15 + 3


def test_entry_that_is_no_matrix_has_no_size():
    with pytest.raises(TypeError, match="an array with at least two axes is required, but list came"):
        SizeBlock.lift([[1]])


def test_sizes_decide_no_equality():
    with pytest.raises(TypeError, match="blocks without numbers cannot be compared"):
        SizeBlock(1, 1)._compare(SizeBlock(1, 1))


@pytest.mark.parametrize(
    ("prompts", "bytes_each", "free", "count"),
    [(100, 10, 10**6, 1), (100, 10, 2000, 1), (100, 10, 1999, 2), (100, 10, 200, 10), (7, 10, 1, 7), (7, 10, -5, 7)],
)
def test_a_piece_takes_half_of_the_free_memory_or_one_prompt(prompts, bytes_each, free, count):
    assert count_in_memory(prompts, bytes_each, free) == count


@pytest.fixture
def pretended_device(monkeypatch):
    """NumPy arrays taken for arrays on a device, with so much free memory as the test says."""
    monkeypatch.setattr(floats.array_api_compat, "is_numpy_array", lambda array: False)
    monkeypatch.setattr(floats.array_api_compat, "is_cupy_array", lambda array: isinstance(array, np.ndarray))
    return lambda free: monkeypatch.setattr(floats, "free_bytes", lambda array: free)


@pytest.mark.parametrize("batch", [(30,), (15, 2)])
def test_batch_on_a_device_is_cut_to_its_free_memory(batch, pretended_device, monkeypatch):
    construction = NewtonFromIdentity(alpha=1 / 64, steps=3, relu=True)
    rng = np.random.default_rng(0)
    held = [rng.standard_normal((*batch, *shape)) for shape in ((3, 8), (1, 8), (3, 1))]
    each = 8 * numbers_at_once(lambda *entries: forward(construction, Prompt(*entries)), *held)
    ran, original = [], construction.embed.__func__

    def recorded(self, prompt):
        ran.append(prompt.X.batch)
        return original(self, prompt)

    monkeypatch.setattr(NewtonFromIdentity, "embed", recorded)
    pretended_device(2 * 10 * each)
    together = construction(*held)
    # The first run counts and has no batch; the others have ten prompts each.
    assert ran == [(), *[(batch[0] // 3, *batch[1:])] * 3]
    assert np.array_equal(together, forward(construction, Prompt(*held)).entry)


def test_free_memory_is_what_the_device_and_the_pool_have_left_within_the_limit(monkeypatch):
    class Device:
        def __enter__(self):
            cupy.entered = True

        def __exit__(self, *_):
            pass

    pool = types.SimpleNamespace(free_bytes=lambda: 30, used_bytes=lambda: 50, get_limit=lambda: 0)
    cupy = types.ModuleType("cupy")
    cupy.get_default_memory_pool = lambda: pool
    cupy.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(memGetInfo=lambda: (100, 1000)))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    array = types.SimpleNamespace(device=Device())
    assert free_bytes(array) == 130
    assert cupy.entered
    pool.get_limit = lambda: 120
    assert free_bytes(array) == 70


@pytest.mark.cuda
def test_free_memory_of_the_device_falls_by_what_is_allocated():
    import cupy

    held = cupy.ones(1 << 20)
    before = free_bytes(held)
    more = cupy.ones(1 << 24)
    assert free_bytes(held) <= before - more.nbytes


@pytest.mark.cuda
@pytest.mark.parametrize("relu", [False, True])
def test_run_on_the_device_takes_no_more_than_counted(relu):
    import cupy

    construction = NewtonFromIdentity(alpha=1 / 64, steps=3, relu=relu)
    held = [on_device(np.ones((4096, *shape))) for shape in ((20, 40), (1, 40), (20, 1))]

    def run(*entries):
        return forward(construction, Prompt(*entries)).entry

    run(*held)
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    run(*held)
    assert pool.total_bytes() - before <= 8 * 4096 * numbers_at_once(run, *held) / floats.DEVICE_SHARE


@pytest.mark.cuda
def test_batch_cut_on_the_device_gives_the_same_predictions(monkeypatch):
    # Small whole numbers and two steps, so that every product and sum is exact.
    rng = np.random.default_rng(0)
    held = [rng.integers(-2, 3, (10, *shape)).astype(np.float64) for shape in ((2, 3), (1, 3), (2, 1))]
    construction = NewtonFromIdentity(alpha=1 / 4, steps=2)
    monkeypatch.setattr(floats, "free_bytes", lambda array: 1)
    assert np.array_equal(construction(*map(on_device, held)).get(), construction(*held))
