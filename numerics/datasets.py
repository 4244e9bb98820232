"""The data sets that come with the package: two tables whose regression coefficients are certified.

Source: NIST Statistical Reference Datasets, linear regression (public domain). "Certified" is NIST's word: computed in
multiple precision and printed to 15 digits. Both models have an intercept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Dataset:
    """A table, and the coefficients of its linear model.

    Args:
        path: the CSV file.
        target: the column that the model predicts from all the others.
        coefficients: as NIST prints them, the intercept first, then in the order of the columns.
    """

    path: Path
    target: str
    coefficients: tuple[str, ...]


DATASETS = {
    "longley": Dataset(
        FOLDER / "longley.csv",
        "y",
        (
            "-3482258.63459582",
            "15.0618722713733",
            "-0.358191792925910E-01",
            "-2.02022980381683",
            "-1.03322686717359",
            "-0.511041056535807E-01",
            "1829.15146461355",
        ),
    ),
    "norris": Dataset(FOLDER / "norris.csv", "y", ("-0.262323073774029", "1.00211681802045")),
}
"""By name. Longley (1967): 16 rows, 6 predictors, condition number 5e9; Norris: 36 rows, 1 predictor."""


def data_path(data: str | Path) -> Path:
    """The path itself; if there is no such file, the shipped table that it names, with or without ``.csv``.

    >>> data_path("longley").name
    'longley.csv'
    """
    path = Path(data)
    shipped = DATASETS.get(str(data).removesuffix(".csv"))
    return path if shipped is None or path.exists() else shipped.path
