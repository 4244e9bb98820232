"""Families: what the comparison says of symbols, against networks run and counted on numbers."""

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from constructions.construction import forward, streams
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.newton_gram import NewtonFromGramMasked, NewtonFromGramUnmasked
from constructions.newton_interleaved import NewtonInterleaved
from constructions.newton_paper import PaperNewton
from constructions.prompt import Prompt
from numerics.rationals import as_fraction
from proofs.catalogue import catalogue
from proofs.command_line import main
from proofs.construction_theorem import ConstructionTheorem
from proofs.families import COLUMNS, compared, families, family_lines

CATALOGUE = catalogue()
NEWTON = {theorem.name: theorem for theorem in families(CATALOGUE.values())["newton"]}
EVERY = pytest.mark.parametrize("theorem", NEWTON.values(), ids=NEWTON)


def value(formula, **sizes):
    """The value of a linear formula such as 3 d + m + 3."""
    return eval(re.sub(r"(\d) ([a-z])", r"\1 * \2", formula), {}, sizes)


@EVERY
def test_counts_are_those_of_a_network_on_numbers(theorem):
    transformer = replace(theorem.prototype, steps=3)
    sizes = {"k": 3, "n": 4, "d": 3, "m": 1 if theorem.prototype.targets == 1 else 2}
    rows = [[[1, 2, 1, -1]] * 3, [[1, 0, 2, 1]] * sizes["m"], [[1]] * 3]
    first, *rest = streams(transformer, Prompt(*rows))
    said = compared(theorem)
    assert value(said["layers"], **sizes) == len(rest)
    assert value(said["width"], **sizes) == sum(first.slots.values())
    assert value(said["tokens"], **sizes) == sum(first.groups.values())


@EVERY
def test_names_say_what_the_weights_say(theorem):
    said, name = compared(theorem), theorem.name
    assert ("looped" in said["layer of the loop"]) == ("looped" in name or "k_plus_8" in name or "network_runs" in name)
    assert ("2 relu" in said["layer of the loop"]) == ("relu" in name or "interleaved" in name)
    assert (said["keys"] == "context") == ("_masked" in name)
    assert (said["start"] == "alpha I") == ("from_identity" in name)
    assert (said["query, key"].lower() == "x, u") == ("printed" in name)
    assert said["assumes"] == "nothing"


def test_smallest_network_is_that_of_the_reference():
    """N15 and N17 of width 2 d + m, N16 of width 2 d + 2 m, N19 of width 3 d + 4 with one target."""
    widths = {
        type(theorem.prototype): compared(theorem)["width"] for theorem in NEWTON.values() if "relu" not in theorem.name
    }
    assert widths[NewtonFromIdentity] == widths[NewtonFromGramMasked] == "2 d + m"
    assert widths[NewtonFromGramUnmasked] == "2 d + 2 m"
    assert widths[NewtonInterleaved] == "3 d + m + 3"
    assert compared(CATALOGUE["interleaved_relu_network_runs_newton_in_k_plus_8_layers"])["width"] == "5 d + 5"


@pytest.mark.parametrize(
    ("network", "power"), [(NewtonFromIdentity, 1), (NewtonInterleaved, 1), (NewtonFromGramMasked, 2), (PaperNewton, 2)]
)
@pytest.mark.parametrize(("eigenvalue", "converges"), [(1, True), (Fraction(3, 2), True), (2, False), (3, False)])
def test_criterion_of_convergence_decides(network, power, eigenvalue, converges):
    """X = 3, so that M_0 S = alpha 9^power; least squares predicts 2 / 3."""
    transformer = network(alpha=Fraction(eigenvalue) / 9**power, steps=6)
    prompt = Prompt([[3]], [[2]], [[1]])
    within = transformer.converges_within_two(prompt.lifted()).entry[0, 0]
    assert as_fraction(within) == eigenvalue
    predicted = as_fraction(forward(transformer, prompt).entry[0, 0])
    assert (abs(predicted - Fraction(2, 3)) < Fraction(1, 10**9)) == converges


def test_any_construction_with_a_family_is_compared():
    class Descent(GradientDescent):
        family = "descent"

    theorem = ConstructionTheorem(
        name="descent_descends",
        system="this project",
        reference="none",
        statement="It descends.",
        prototype=Descent(step_sizes=[1]),
    )
    (row,) = families([theorem])["descent"]
    said = compared(row)
    assert list(said) == list(COLUMNS)
    assert (said["layers"], said["width"], said["keys"], said["0 < . < 2"]) == ("k", "d + m", "context", "")
    assert "descent_descends" in "\n".join(family_lines("descent", [row]))


def test_show_newton_prints_every_network(capsys):
    assert main(["show", "newton"]) == 0
    out = capsys.readouterr().out
    assert [name for name in NEWTON if f"  {name}\n" not in out] == []
    assert len(NEWTON) == 24


def test_show_of_one_network_still_prints_it(capsys):
    assert main(["show", "newton_from_identity"]) == 0
    assert "Stage 2, read-out layer" in capsys.readouterr().out


def test_comparison_as_latex_is_refused(capsys):
    assert main(["show", "newton", "--latex"]) == 2
    assert "the comparison of the family newton has no LaTeX form; leave --latex out" in capsys.readouterr().err
