"""Bad usage and bad input: one sentence on the standard error each, exit code 2, and no traceback."""

import re
import sys

import pytest

from proofs import reports
from proofs.command_line import main

NAME = "linear_attention_head_takes_one_gradient_step"
REFUTED = "preconditioner_without_transpose_as_printed_is_false"


@pytest.fixture
def table(tmp_path):
    """A small table, and others that are not quite tables, by name."""
    texts = {
        "good": "a,b,y\n1,2,3\n2,1,4\n0,1,1\n3,3,7\n",
        "missing_cell": "a,b,y\n1,2,3\n2,,4\n0,1,1\n",
        "no_number": "a,b,y\n1,2,3\n2,two,4\n0,1,1\n",
        "nan": "a,b,y\n1,2,3\n2,nan,4\n0,1,1\n",
        "ragged": "a,b,y\n1,2,3\n2,4\n0,1,1\n",
        "no_rows": "a,b,y\n",
        "empty": "",
        "one_row": "a,b,y\n1,2,3\n",
        "zero": "a,b,y\n0,0,3\n0,0,4\n",
        "beyond": "a,b,y\n1e400,2,3\n2,1,4\n0,1,1\n",
        "semicolons": "a;b;y\n1;2;3\n2;1;4\n",
        "tiny": "a,b,y\n1e-400,2e-400,3\n2e-400,1e-400,4\n0,1e-400,1\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return lambda name: str(tmp_path / f"{name}.csv")


def assert_bad_input(arguments, said, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("icl: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert re.search(said, err), err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["verfy"], "invalid choice: 'verfy'"),
        (["list", "everything"], "unrecognized arguments: everything"),
        (["show"], "required: NAME"),
        (["show", "linear_attention_head_takes_a_gradient_step"], f"did you mean {NAME}"),
        (["show", "gradient_decent"], "did you mean gradient_descent"),
        (["show", "????"], "see icl list"),
        (["show", "neuton"], "did you mean .*newton"),
        (["verify", "nope"], "there is no theorem 'nope'; see icl list"),
        (["verify", "neuton"], "there is no theorem 'neuton'; did you mean .*newton.* or .*newton.*"),
        (["verify", "curvature"], "there is no theorem 'curvature'; see icl list"),
        (["verify", NAME, "linear_attention_takes_one_step"], f"there is no theorem .*did you mean {NAME}"),
        (["verify", "--instances", "0"], "instances = 0: at least one"),
        (["verify", "--instances", "ten"], "invalid int value: 'ten'"),
        (["verify", "--seed", "-1"], "seed = -1: it must be at least 0"),
        (["verify", "--seed"], "expected one argument"),
        (["verify", "--device", "tpu"], "invalid choice: 'tpu'"),
    ],
)
def test_bad_usage_is_one_sentence_and_code_2(arguments, said, capsys):
    assert_bad_input(arguments, said, capsys)


def test_cuda_without_a_device_is_one_sentence_and_code_2(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert_bad_input(["verify", NAME, "--device", "cuda"], r"icl-theory\[cuda12\] or icl-theory\[cuda13\]", capsys)


@pytest.mark.parametrize("place", ["", "missing/report.json"])
def test_json_that_cannot_be_written_is_found_out_before_the_work(capsys, tmp_path, place):
    assert_bad_input(["verify", "--json", str(tmp_path / place)], "cannot write", capsys)


def test_json_that_cannot_be_written_in_the_end_is_one_sentence(capsys, tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    monkeypatch.setattr(reports, "report_as_json", lambda *_: path.mkdir() or "{}")
    assert main(["verify", NAME, "--instances", "1", "--json", str(path)]) == 2
    assert re.fullmatch("icl: cannot write .*report.json: Is a directory\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("nowhere", [], "nowhere.csv cannot be opened: No such file or directory"),
        ("missing_cell", [], "line 3, column 'b': the cell is empty"),
        ("no_number", [], "line 3, column 'b': .* 'two' came"),
        ("nan", [], "line 3, column 'b': .* 'nan' came"),
        ("ragged", [], "line 3: the header names 3 columns, but this row has 2 cells"),
        ("no_rows", [], "no data"),
        ("empty", [], "is empty"),
        ("one_row", [], "queries = 1 needs at least 2 rows"),
        ("good", ["--target", "z"], "no column 'z'; did you mean"),
        ("good", ["--queries", "4"], "queries = 4 needs at least 5 rows"),
        ("good", ["--queries", "0"], "queries = 0"),
        ("good", ["--layers", "0"], "layers = 0: at least one layer"),
        ("good", ["--layers", "many"], "invalid int value: 'many'"),
        ("good", ["--step-size", "0"], "step size '0': it must be above 0"),
        ("good", ["--step-size=-1/3"], "step size '-1/3': it must be above 0"),
        ("good", ["--step-size", "1/0"], "step size '1/0': it must be above 0"),
        ("good", ["--step-size", "1/2/3"], "a decimal such as 0.01 or a fraction such as 1/3 is required"),
        ("good", ["--step-size", "nan"], "a decimal such as 0.01 or a fraction such as 1/3 is required"),
        ("zero", ["--no-intercept"], "every feature is zero in the whole context"),
        ("beyond", [], "beyond.csv: this run leaves the range of float64; rescale the columns"),
        ("tiny", ["--no-intercept"], "tiny.csv: this run leaves the range of float64; rescale the columns"),
    ],
)
def test_bad_data_is_one_sentence_and_code_2(table, capsys, name, options, said):
    target = [] if "--target" in options else ["--target", "y"]
    assert_bad_input(["run", "gradient_descent", table(name), *target, *options], said, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gradient_decent", "good", "--target", "y"], "'gradient_decent' .*did you mean gradient_descent"),
        (["????", "good", "--target", "y"], "did you mean gradient_descent or .* or preconditioned_descent or newton"),
        (["newtn", "good", "--target", "y"], "'newtn' to run on data; did you mean newton"),
        (
            ["gdpp", "good", "--target", "y", "--digits", "9"],
            "--digits is an option of newton only; leave it out for gdpp",
        ),
        (["gdpp", "good", "--target", "y", "--coefficients"], "--coefficients is an option of newton only"),
        (["gradient_descent", "good", "--target", "y", "--degree", "2"], "--degree is an option of newton only"),
        (
            ["preconditioned_descent", "good", "--target", "y", "--precision", "99"],
            "--precision is an option of newton",
        ),
        (["gdpp", "semicolons", "--target", "y"], "semicolons separate the cells, but commas are required"),
        (["gdpp", "good", "--target", "y", "--layers", "40"], "ask for at most 14 layers"),
        (["gdpp", "good", "--target", "y", "--layers", "1000000"], "ask for at most 14 layers"),
        (["preconditioned_descent", "tiny", "--target", "y"], "leaves the range of float64"),
        (["gdpp", "good"], "required: --target"),
        (["gdpp"], "required: DATA.csv, --target"),
    ],
)
def test_bad_run_is_one_sentence_and_code_2(table, capsys, arguments, said):
    construction, *rest = arguments
    rest = [table(rest[0]), *rest[1:]] if rest else []
    assert_bad_input(["run", construction, *rest], said, capsys)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("nowhere", [], "nowhere.csv cannot be opened: No such file or directory"),
        ("nan", [], "line 3, column 'b': .* 'nan' came"),
        ("no_rows", [], "no data"),
        ("zero", ["--no-intercept"], "every feature is zero in the whole context"),
        ("good", ["--layers=-1"], "layers = -1: it must be one of 0, ..., 10000"),
        ("good", ["--digits", "0"], "digits = 0: it must be one of 1, ..., 4000"),
        ("good", ["--digits", "many"], "invalid int value: 'many'"),
        ("good", ["--precision", "1"], "precision = 1: it must be one of 2, ..., 16777216"),
        ("good", ["--precision", "64"], "15 digits of least squares are not proven with a precision of 64 bits"),
        ("good", ["--degree", "3"], "a polynomial in one feature, but the table has 2"),
        ("good", ["--coefficients", "--queries", "2"], "coefficients take all; drop one"),
        ("good", ["--queries", "4"], "queries = 4 needs at least 5 rows"),
        ("good", ["--step-size", "9"], "alpha = 9 cannot be shown to converge: it must be below 2 / lambda_max"),
        ("good", ["--step-size", "-1"], "step size '-1': it must be above 0"),
    ],
)
def test_a_bad_newton_run_is_one_sentence_and_code_2(table, capsys, name, options, said):
    assert_bad_input(["run", "newton", table(name), "--target", "y", *options], said, capsys)
