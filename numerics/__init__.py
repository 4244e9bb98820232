"""Kinds of number, tasks and checks: NumPy, CuPy, SciPy, python-flint and Hypothesis live here."""

from numerics.alignment import Alignment, alignment
from numerics.balls import precision
from numerics.check import CheckReport, Failure, check
from numerics.rounding import Rounded
from numerics.step_counts import conjugate_gradient_step_count, gradient_descent_step_count, newton_step_count
from numerics.tasks import LinearTask
from numerics.weight_files import Part, load_weights, state_dict_heads

__all__ = [
    "Alignment",
    "CheckReport",
    "Failure",
    "LinearTask",
    "Part",
    "Rounded",
    "alignment",
    "check",
    "conjugate_gradient_step_count",
    "gradient_descent_step_count",
    "load_weights",
    "newton_step_count",
    "precision",
    "state_dict_heads",
]
