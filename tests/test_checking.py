"""A construction that is not in the repository is proved from its file; each slip in it is refuted, and located."""

from pathlib import Path

import pytest

from proofs.checking import check
from proofs.command_line import main
from proofs.user_file import construction_in

FILE = Path(__file__).parent / "user_files" / "averaged_descent.py"
TEXT = FILE.read_text(encoding="utf-8")


@pytest.fixture
def checked(tmp_path):
    """The check of the file with one replacement in its text."""

    def checked(old, new):
        assert TEXT.count(old) == 1, "one slip each"
        path = tmp_path / "mine.py"
        path.write_text(TEXT.replace(old, new), encoding="utf-8")
        return check(construction_in(str(path)))

    return checked


def test_the_file_has_at_most_40_lines_and_imports_the_public_api_only():
    assert len(TEXT.splitlines()) <= 40
    imported = [line.split()[1] for line in TEXT.splitlines() if line.startswith("from ")]
    assert set(imported) == {"collections", "dataclasses", "constructions"}


def test_a_construction_of_ones_own_is_proved_for_all_sizes(capsys):
    assert main(["check", str(FILE)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("AveragedDescent: proved\n")
    assert "✓ proof       all n, d, m and every number of layers" in out


SLIPS = [
    pytest.param(
        '{("y", "y"): -ratio',
        '{("y", "y"): ratio',
        "layer 1: slot 'y' of the group 'context'",
        "head 1, value, block y <- y: change its sign",
        id="sign of the value",
    ),
    pytest.param(
        "self.P},",
        "self.P.T},",
        "layer 1: slot 'y' of the group 'query'",
        "head 1, query, block x <- x: transpose it",
        id="transposed preconditioner",
    ),
    pytest.param(
        '"y"): -ratio(self.eta[l], prompt.n)',
        '"y"): -self.eta[l]',
        "layer 1: slot 'y' of the group 'context'",
        "head 1, value, block y <- y: divide it by n",
        id="no 1/n",
    ),
    pytest.param(
        ', mask=Mask(keys=("context",))',
        ", mask=Mask()",
        "layer 2: slot 'y' of the group 'context'",
        "head 1, mask: only context tokens may be keys",
        id="unmasked query",
    ),
    pytest.param(
        '"y"): -ratio(self.eta[l]',
        '"y"): -ratio(self.eta[0]',
        "layer 2: slot 'y' of the group 'context'",
        "head 1, value, block y <- y: use eta of its own layer",
        id="step size of the first layer",
    ),
    pytest.param(
        '"y"): -ratio(self.eta[l]',
        '"y"): -ratio(2 * self.eta[l]',
        "layer 1: slot 'y' of the group 'context'",
        "head 1, value, block y <- y: halve it",
        id="twice the step",
    ),
    pytest.param(
        '("a", "y"): -self.gamma[l]',
        '("a", "y"): self.gamma[l]',
        "layer 1: slot 'a' of the group 'query'",
        "sublayer 2, weight, block a <- y: change its sign",
        id="sign of the average",
    ),
    pytest.param(
        ', ("a", "a"): -self.gamma[l]',
        "",
        "layer 2: slot 'a' of the group 'query'",
        None,
        id="an average that forgets nothing",
    ),
    pytest.param(
        '("a", "a"): -self.gamma[l]',
        '("a", "a"): self.gamma[l] if l == 1 else -self.gamma[l]',
        "layer 2: slot 'a' of the group 'query'",
        "in layer 2 only, sublayer 2, weight, block a <- a: change its sign",
        id="a sign in the second layer only",
    ),
    pytest.param(
        'Layer(Attention(head), TokenMap(Weight({("a", "y"): -self.gamma[l], ("a", "a"): -self.gamma[l]})))',
        'Layer(TokenMap(Weight({("a", "y"): -self.gamma[l], ("a", "a"): -self.gamma[l]})), Attention(head))',
        "layer 1: slot 'a' of the group 'query'",
        "sublayers 1 and 2: exchange them",
        id="the average before the step",
    ),
    pytest.param(
        'return stream["a", "query"]',
        'return -stream["a", "query"]',
        "the read-out",
        "read-out: change its sign",
        id="sign of the read-out",
    ),
    pytest.param(
        'return stream["a", "query"]',
        'return -stream["y", "query"]',
        "the read-out",
        "read-out: read the slot a of query",
        id="the last iterate for the average",
    ),
    pytest.param(
        "return example_tokens(prompt, a=prompt.m)",
        "return example_tokens(prompt, a=prompt.m).plus({('y', 'context'): prompt.Y.scale(-2)})",
        "the embedding: slot 'y' of the group 'context'",
        "embedding, y of context: change its sign",
        id="sign of the targets",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "hint"), SLIPS)
def test_a_slip_is_refuted_with_its_layer_a_small_counterexample_and_what_mends_it(checked, old, new, where, hint):
    found = checked(old, new)
    assert found.verdict == "refuted"
    assert found.refutation.where == where
    example = found.refutation.example
    assert example.layers <= 2
    assert example.sizes.n <= 2
    assert example.sizes.d <= 2
    assert set(entries(list(example.entries.values()))) <= {-1, 0, 1, 2}
    assert example.predicted != example.claimed
    if hint is None:
        assert found.refutation.hints == ()
    else:
        assert any(hint in each for each in found.refutation.hints), found.refutation.hints


def entries(value):
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from entries(part)
    else:
        yield value
