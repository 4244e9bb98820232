"""The JSON of icl verify, read back: what is not whole, not consistent, or of another catalogue is refused."""

import copy
import json

import pytest
from reported import FALSE, HEAD

from proofs import reports
from proofs.arguments import BadInput
from proofs.catalogue import catalogue
from proofs.evidence import Settings
from proofs.evidence_file import as_float, gathered_in, read_evidence
from proofs.theorem import verify


@pytest.fixture(scope="module")
def verifications():
    return [verify(catalogue()[name], Settings(3, 1)) for name in (HEAD, FALSE)]


@pytest.fixture(scope="module")
def written(verifications):
    return json.loads(reports.report_as_json(verifications, Settings(3, 1)))


def read(report):
    return gathered_in(json.dumps(report), "FILE", catalogue())


def test_what_was_written_is_read(verifications, written):
    gathered = read(written)
    assert (gathered.seed, gathered.device, gathered.versions) == (3, "cpu", written["versions"])
    assert [each.as_json() for each in gathered.verifications] == written["theorems"]
    assert [each.theorem.name for each in gathered.verifications] == [HEAD, FALSE]


def change(report, path, value):
    """A copy in which the place holds the value; ``...`` deletes it."""
    report = copy.deepcopy(report)
    held = report
    for step in path[:-1]:
        held = held[step]
    if value is ...:
        del held[path[-1]]
    else:
        held[path[-1]] = value
    return report


FIRST = ("theorems", 0)
PIECE = (*FIRST, "evidence", 0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("seed",), ..., "the file has no 'seed'"),
        (("seed",), -1, "seed is -1, not an integer of at least 0"),
        (("seed",), True, "seed is True"),
        (("device",), "abacus", "device is 'abacus', neither 'cpu' nor 'cuda'"),
        (("versions",), [], "versions is no JSON object"),
        (("versions", "numpy"), 2, "the version of numpy is no string"),
        (("theorems",), [], "theorems is not a list of at least one theorem"),
        (("theorems",), {}, "theorems is not a list"),
        (FIRST, 7, "an entry of theorems is no JSON object"),
        ((*FIRST, "name"), HEAD[:-1], f"there is no theorem '{HEAD[:-1]}'; did you mean {HEAD}"),
        ((*FIRST, "name"), ["x"], r"the name of a theorem is \['x'\], no text"),
        ((*PIECE, "kind"), ["x"], f"{HEAD} has no evidence of the kind"),
        ((*FIRST, "statement"), "2 = 2", f"the statement of {HEAD} is not that of this catalogue"),
        ((*FIRST, "reference"), "", f"the reference of {HEAD} is not that of this catalogue"),
        ((*FIRST, "evidence"), [], f"the evidence of {HEAD} is no list of at least one piece"),
        ((*FIRST, "verified"), False, "is said to be verified or not, but its evidence says otherwise"),
        ((*PIECE, "outcome"), "fails", "is said to be verified or not, but its evidence says otherwise"),
        ((*PIECE, "outcome"), "perhaps", "outcome = 'perhaps'"),
        ((*PIECE, "kind"), "ball", f"{HEAD} has no evidence of the kind 'ball'"),
        ((*PIECE, "seconds"), ..., "does not have the fields"),
        ((*PIECE, "over"), 3, f"over of {HEAD}, proof, is no text"),
        ((*PIECE, "worst"), "much", f"worst of {HEAD}, proof, is 'much', no number"),
        ((*PIECE, "worst"), "1/0", "is '1/0', no number"),
        ((*PIECE, "instances"), "9", "instances of .*, is '9', no number"),
        (PIECE, None, "a piece of evidence for .* is no JSON object"),
    ],
)
def test_what_is_no_evidence_is_refused(written, path, value, message):
    with pytest.raises(BadInput, match=message):
        read(change(written, path, value))


def piece_of(written, theorem, kind):
    """The path of a piece of evidence in the file."""
    kinds = [each["kind"] for each in written["theorems"][theorem]["evidence"]]
    return ("theorems", theorem, "evidence", kinds.index(kind))


@pytest.mark.parametrize(
    ("theorem", "kind", "field", "value"),
    [
        (0, "float", "worst", 1.0),
        (0, "float", "worst", "inf"),
        (0, "float", "worst", "nan"),
        (0, "float", "bound", "nan"),
        (0, "exact", "worst", "1/3"),
        (1, "float", "worst", 0.0),
        (1, "exact", "worst", "0"),
    ],
)
def test_what_is_said_to_hold_against_its_own_numbers_is_refused(written, theorem, kind, field, value):
    path = (*piece_of(written, theorem, kind), field)
    name = (HEAD, FALSE)[theorem]
    with pytest.raises(BadInput, match=f"{kind} of {name} is said to hold, but its largest difference .* otherwise"):
        read(change(written, path, value))


def test_what_fails_may_have_any_numbers(written):
    piece = piece_of(written, 0, "float")
    failing = change(change(written, (*piece, "worst"), 1.0), (*piece, "outcome"), "fails")
    read(change(failing, (*FIRST, "verified"), False))


def test_a_theorem_twice_is_refused(written):
    with pytest.raises(BadInput, match="a theorem is in it twice"):
        read({**written, "theorems": [written["theorems"][0]] * 2})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"seed": NaN}', "[]", "3"])
def test_what_is_no_such_json_is_refused(text):
    with pytest.raises(BadInput, match=r"is not JSON|is no evidence of icl verify --json"):
        gathered_in(text, "FILE", catalogue())


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"cannot read .*gone.json: No such file"):
        read_evidence(tmp_path / "gone.json", catalogue())


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "image.json").write_bytes(b"\x89PNG\xff")
    with pytest.raises(BadInput, match=r"image.json is not text in UTF-8; pass a file that icl verify --json wrote"):
        read_evidence(tmp_path / "image.json", catalogue())


@pytest.mark.parametrize(("value", "number"), [("1/4", 0.25), ("inf", float("inf")), (0.5, 0.5), ("-3", -3.0)])
def test_numbers_of_the_file_as_floats(value, number):
    assert as_float(value) == number
