"""The benchmarks at toy sizes: what they measure and write, not how long anything takes."""

import datetime
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import cuda, rounding_bound
from benchmarks.contention import contention
from benchmarks.exact_kinds import exact_kinds
from benchmarks.forward_pass import agreement_of, forward_pass, ratio_targets
from benchmarks.growth import Direction, exponent, growth, peak_bytes, plotted
from benchmarks.networks import gradient_descent, newton
from benchmarks.proving import symbolic_proofs, verification
from benchmarks.results import Section, Target, written
from benchmarks.rounding_bound import Bounded
from benchmarks.setting import Setting
from benchmarks.timing import Timing, interleaved, ratio
from numerics import floats

THEOREM = "linear_attention_head_takes_one_gradient_step"
TIMED = {"seconds", "smallest", "largest", "runs"}

KEPT = Section(
    "kept", "A promise kept", {"n": 3}, [{"what": "a|b", "seconds": 0.25}], ("A note.",), [Target("c", "1", True)]
)
BROKEN = Section("broken", "A promise broken", {}, (), targets=[Target("c", "2", False)])


def test_functions_are_run_in_turn_after_one_run_that_is_not_timed():
    calls = []
    timings = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, runs=2)
    assert "".join(calls) == "ababab"
    assert [len(timing.seconds) for timing in timings.values()] == [2, 2]


def test_what_is_called_before_each_run_is_called_once_per_timed_run():
    calls = []
    interleaved({"a": lambda: None, "b": lambda: None}, runs=3, before=lambda: calls.append("before"))
    assert len(calls) == 6


def test_ratio_is_of_medians_beside_the_range_over_pairs():
    against = ratio(Timing((8.0, 6.0, 20.0)), Timing((2.0, 1.0, 4.0)))
    assert (against.of_medians, against.smallest, against.largest) == (4.0, 4.0, 6.0)


def test_contention_is_a_share_of_the_cores():
    with contention() as taken_by_others:
        sum(range(10**6))
        share = taken_by_others()
    assert share is None or 0 <= share


def test_contention_is_unknown_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.contention._STAT", tmp_path / "missing")
    with contention() as taken_by_others:
        assert taken_by_others() is None


def test_contention_counts_the_time_of_other_processes(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    monkeypatch.setattr("benchmarks.contention._STAT", stat)
    stat.write_text("cpu  0 0 0 0 0 0 0 0 0 0\n", encoding="ascii")
    with contention() as taken_by_others:
        stat.write_text(f"cpu  {10**9} 0 0 0 0 0 0 0 0 0\n", encoding="ascii")
        assert taken_by_others() > 1


@pytest.mark.parametrize("power", [1, 2])
def test_exponent_is_that_of_an_exact_power_law(power):
    # The logarithms are 0, 2 log 2 and 4 log 2, which rounds as log 2 does, so that nothing else rounds.
    assert exponent([1, 4], [1, 4**power]) == power


def test_peak_memory_counts_an_array_that_is_dropped_again():
    def square():
        np.ones((300, 300)).sum()

    assert 8 * 300**2 <= peak_bytes(square) < 2 * 8 * 300**2


def test_growth_grows_one_size_after_another_and_decides_for_each():
    directions = [
        Direction("n", (300, 600, 1200), {"d": 2, "k": 2, "B": 1}, 1),
        Direction("B", (1, 2, 3), {"n": 4, "d": 2, "k": 1}, 1),
    ]
    section = growth(directions, runs=1)
    assert [(row["grows"], row["size"]) for row in section.rows] == [
        *(("n", n) for n in (300, 600, 1200)),
        *(("B", B) for B in (1, 2, 3)),
    ]
    assert section.rows[0].keys() >= TIMED
    assert [target.claim.split(",")[0] for target in section.targets] == [
        "the time grows with n up to 1200 no faster than the operations",
        "no n x n matrix is made",
        "the time grows with B up to 3 no faster than the operations",
    ]
    assert section.targets[1].met


def test_growth_is_plotted_with_its_exponents(tmp_path):
    pytest.importorskip("matplotlib", reason="needs icl-theory[plots]")
    rows = [{"grows": "n", "size": 10**i, "seconds": 100.0**i, "peak bytes beside it": 10**i} for i in (1, 2, 3, 4)]
    plotted(Section("growth", "Growth", {}, rows), tmp_path / "growth.svg")
    drawn = (tmp_path / "growth.svg").read_text(encoding="utf-8")
    assert "<!-- n^2.00 at the 3 largest -->" in drawn
    assert "<!-- n^1.00 at the 3 largest -->" in drawn


@pytest.mark.parametrize("network", [newton, gradient_descent])
def test_operations_are_those_of_the_products_that_the_forward_pass_makes(network, monkeypatch):
    n, d, m, layers = 7, 3, 2, 4
    counted, multiplied = [], floats.product_of

    def recorded(left, right):
        counted.append(2 * left.shape[-2] * left.shape[-1] * right.shape[-1])
        return multiplied(left, right)

    monkeypatch.setattr(floats, "product_of", recorded)
    setting = Setting.drawn(network, n, d, m, layers, 1, "float64")
    setting.ours()
    assert sum(counted) == setting.network.operations
    products = [2 * times * rows * inner * columns for times, rows, inner, columns in setting.network.products]
    assert sum(products) <= sum(counted)


@pytest.mark.torch
def test_fused_product_and_sum_is_bounded():
    import torch

    rng = np.random.default_rng(0)
    C, A, B = (rng.standard_normal((3, *shape)).astype(np.float32) for shape in ((4, 5), (4, 6), (6, 5)))
    exact = 2 * C.astype(np.float64) - A.astype(np.float64) @ B.astype(np.float64)
    tensors = [torch.from_numpy(array) for array in (C, A, B)]
    bounded = rounding_bound.baddbmm(*(Bounded.lift(each) for each in tensors), beta=2, alpha=-1)
    computed = torch.baddbmm(*tensors, beta=2, alpha=-1)
    radius = bounded.radius.numpy()
    for value in (computed.numpy(), bounded.value.numpy()):
        # float64 adds less than a thousandth of the bound in float32.
        assert (np.abs(value - exact) <= 1.001 * radius).all()
    assert radius.max() < 1e-4


def test_exact_kinds_times_rationals_and_balls():
    section = exact_kinds(n=3, d=2, layers=2, runs=1)
    assert [row["instance"].split()[0] for row in section.rows] == ["rationals,"] * 4 + ["balls"] * 2
    assert all(row.keys() >= TIMED for row in section.rows)


def test_symbolic_proofs_times_each_theorem():
    section = symbolic_proofs((THEOREM,), runs=1)
    assert [row["theorem"] for row in section.rows] == [THEOREM]
    assert section.rows[0].keys() >= TIMED


def test_verification_runs_the_command_line():
    (row,) = verification((THEOREM,)).rows
    assert row["command"] == f"icl verify {THEOREM}"
    assert row["outcome"] == "verified"


def test_verification_of_an_unknown_theorem_breaks_its_promise():
    section = verification(("no_such_theorem",))
    assert "exit code 2" in section.rows[0]["outcome"]
    assert not section.targets[0].met


def test_without_a_device_the_section_on_cuda_says_why_it_did_not_run(monkeypatch):
    monkeypatch.setattr(cuda, "missing", lambda: "there is no device")
    section = cuda.on_cuda()
    assert section.notes == ("Not run: there is no device.",)
    assert "|" not in section.markdown()


@pytest.mark.cuda
@pytest.mark.torch
def test_on_cuda_ours_is_timed_beside_the_ceilings():
    if (reason := cuda.missing()) is not None:
        pytest.skip(reason)
    section = cuda.on_cuda(n=4, d=3, layers=2, batch=5, runs=1)
    first = [row["on the device"].split()[0] for row in section.rows]
    assert first == ["ours", *["PyTorch:"] * 8, "ceiling:", "ceiling:"]
    assert all(target.met for target in section.targets)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("network", "others"), [(newton, 9), (gradient_descent, 5)])
def test_every_forward_pass_agrees_with_ours_within_the_rounding_bound(network, others, dtype):
    section = forward_pass(network, n=4, d=3, m=2, layers=3, batch=5, dtype=dtype, runs=1)
    assert section.rows[0]["forward pass"] == "ours (NumPy)"
    held = [row for row in section.rows if row["forward pass"].startswith("PyTorch")]
    assert len(held) == others
    assert all(row["within the bound"] and row["tells a layer less"] for row in held)
    assert [target.met for target in section.targets] == [True]


@pytest.mark.torch
def test_a_pass_that_computes_something_else_is_out_of_the_bound():
    setting = Setting.drawn(newton, 4, 3, 2, 3, 5, "float64")
    *_, by_hand = setting.contenders()
    wrong = replace(by_hand, predict=lambda: by_hand.predict() * (1 + 1e-9))
    assert agreement_of(setting, by_hand, 5)["within the bound"]
    assert not agreement_of(setting, wrong, 5)["within the bound"]


@pytest.mark.torch
def test_the_fastest_pass_over_the_whole_batch_decides_each_ratio():
    setting = Setting.drawn(newton, 4, 3, 2, 3, 300, "float64")
    contenders = list(setting.contenders())
    timings = {each.name: Timing((100.0,)) for each in contenders}
    timings |= {each.name: Timing((1.0,)) for each in contenders if each.class_ is None}
    timings["ours (NumPy)"] = Timing((2.0,))
    timings["PyTorch: dense, tokens as rows"] = Timing((50.0,))
    timings["PyTorch: by hand, U <- (2 I - U X^T) U"] = Timing((2.9,))
    dense, by_hand = ratio_targets(setting.network, contenders, timings, "nobody knows")
    assert (dense.met, by_hand.met) == (True, False)
    assert dense.measured.startswith("25.00 times")
    assert by_hand.measured.startswith("1.45 times")


def test_results_have_the_documented_fields(tmp_path):
    as_json, as_markdown = written([KEPT, BROKEN], tmp_path / "results", datetime.date(2026, 1, 31))
    record = json.loads(as_json.read_text(encoding="utf-8"))
    assert record.keys() == {"date", "commit", "environment", "sections", "targets"}
    assert record["date"] == "2026-01-31"
    assert record["environment"].keys() >= {"processor", "cores used", "system", "python", "numpy", "gpu"}
    assert [section.keys() for section in record["sections"]] == [{"name", "title", "sizes", "rows", "notes"}] * 2
    assert record["sections"][0]["rows"] == [{"what": "a|b", "seconds": 0.25}]
    assert record["targets"] == [
        {"claim": "c", "measured": "1", "met": True},
        {"claim": "c", "measured": "2", "met": False},
    ]
    assert as_json.stem == as_markdown.stem
    assert as_json.stem in ("2026-01-31-cpu", "2026-01-31-cuda")


def test_a_figure_is_drawn_beside_the_results_and_shown_in_them(tmp_path):
    section = replace(KEPT, plotted=lambda section, path: path.write_text(section.name, encoding="utf-8"))
    _, as_markdown, figure = written([section, BROKEN], tmp_path, datetime.date(2026, 1, 31))
    assert figure.read_text(encoding="utf-8") == "kept"
    assert figure.stem == f"{as_markdown.stem}-kept"
    assert f"![A promise kept]({figure.name})" in as_markdown.read_text(encoding="utf-8").splitlines()


def test_results_in_markdown_show_tables_notes_and_verdicts(tmp_path):
    _, as_markdown = written([KEPT, BROKEN], tmp_path, datetime.date(2026, 1, 31))
    text = as_markdown.read_text(encoding="utf-8")
    for line in ("## A promise kept", "| what | seconds |", r"| a\|b | 0.25 |", "A note.", "**FAIL  c: 2**"):
        assert line in text.splitlines()


@pytest.mark.torch
def test_results_record_which_build_of_pytorch_it_was(tmp_path):
    import torch

    as_json, _ = written([KEPT], tmp_path)
    environment = json.loads(as_json.read_text(encoding="utf-8"))["environment"]
    assert environment["torch"] == torch.__version__
    assert environment["torch's build"].startswith("PyTorch built with")


@pytest.mark.torch
@pytest.mark.parametrize(("sections", "code"), [([KEPT], 0), ([KEPT, BROKEN], 1)], ids=["kept", "broken"])
def test_exit_code_says_whether_every_promise_is_kept(sections, code, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="needs icl-theory[plots]")
    monkeypatch.setattr(command, "SECTIONS", {section.name: lambda section=section: section for section in sections})
    assert command.main(["--output", str(tmp_path)]) == code
    assert ("FAIL  c: 2" in capsys.readouterr().out) == bool(code)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("module", "extra"), [("torch", "torch"), ("matplotlib", "plots")])
def test_without_an_extra_the_command_names_it(module, extra, monkeypatch, tmp_path, capsys):
    for name in ("torch", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, None if name == module else sys)
    assert command.main(["--output", str(tmp_path)]) == 2
    assert f"install icl-theory[{extra}]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
