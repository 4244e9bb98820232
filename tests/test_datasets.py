"""The shipped data sets: found by name, and certified coefficients that exact least squares confirms."""

from decimal import Decimal
from fractions import Fraction

import pytest

from numerics.baselines import least_squares
from numerics.datasets import DATASETS, data_path
from numerics.rationals import as_fraction
from numerics.tables import prompts_of_coefficients, read_table

SHAPES = {"longley": (16, 7), "norris": (36, 2)}


@pytest.mark.parametrize("name", DATASETS)
def test_shipped_table_has_the_rows_and_columns_of_the_source(name):
    table = read_table(DATASETS[name].path)
    assert (len(table.rows), len(table.columns)) == SHAPES[name]


@pytest.mark.parametrize("name", DATASETS)
def test_certified_coefficients_are_exact_least_squares_rounded(name):
    held = DATASETS[name]
    W = least_squares(prompts_of_coefficients(read_table(held.path), held.target)[0].lifted())
    for value, printed in zip(W.matrix.entries(), held.coefficients, strict=True):
        _, digits, exponent = Decimal(printed).as_tuple()
        assert len(digits) == 15
        assert abs(as_fraction(value) - Fraction(printed)) < Fraction(10) ** exponent / 2


@pytest.mark.parametrize("data", ["longley", "longley.csv"])
def test_a_shipped_table_is_found_by_its_name(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_path(data) == DATASETS["longley"].path


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "longley.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    assert data_path("longley.csv").resolve() == tmp_path / "longley.csv"


def test_any_other_path_stays_as_it_is():
    assert str(data_path("folder/longly.csv")) == "folder/longly.csv"
