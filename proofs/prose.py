"""Sentences with formulas in them, typeset: what reads as a formula becomes one, names of theorems become links."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from markupsafe import Markup, escape

from proofs.formula_reader import GREEK, with_angles
from proofs.mathml import mathml

_FUNCTIONS = frozenset(
    re.findall(r"\w+", "arcosh ceil cos deg det diag exp floor ln log max min rank relu sign sin sqrt tr trace")
)
"""Words that may stand in a formula."""

_CALLED = re.compile(r"(?:ReLU|softmax|square|\w+vec)(?=\()|sum(?=_)|cvec|Res|(?<=\|)\w+(?=\|)")
"""Others, which are read as words unless they have arguments or an index."""

_OPERATORS = frozenset(re.findall(r"\S+", "+ - = * / < > <= >= <- -> !="))
_WORD = re.compile(r"[^\W\d_]+")
_SUBSCRIPT = re.compile(r"(?<=[A-Za-z0-9])_(\w+)")

LONGEST_SUBSCRIPT = 8
"""No index is longer; what is, is the name of something else."""


def typeset(text: str, names: Collection[str] = ()) -> Markup:
    """The sentence as HTML; everything is escaped, and nothing is left out.

    Args:
        text: words, in which formulas are written in the project's notation; ' is drawn as a prime.
        names: of the theorems to which links lead.

    >>> typeset("from any W_0, as lemma says", ["lemma"])
    Markup('from any <math><msub><mi>W</mi><mn>0</mn></msub></math>, as <a href="#lemma">lemma</a> says')
    """
    words = re.split(r"(\s+)", with_angles(text))
    parts: list[Markup] = []
    place = 0
    while place < len(words):
        end = _end_of_formula(words, place, names)
        if end > place:
            parts.append(_formula("".join(words[place:end])))
            place = end
        else:
            parts.append(_word(words[place], names))
            place += 1
    return Markup("").join(parts)


def _name_in(word: str) -> str:
    return word.strip("()[].,;:'\"`")


def _word(word: str, names: Collection[str]) -> Markup:
    core = _name_in(word)
    if core in names:
        before, _, after = word.partition(core)
        # The name may be broken after each of its words.
        shown = Markup("_<wbr>").join(core.split("_"))
        return Markup('{}<a href="#{}">{}</a>{}').format(before, core, shown, after)
    return escape(word)


def _end_of_formula(words: Sequence[str], start: int, names: Collection[str]) -> int:
    """Where the formula ends that starts here; the start itself if none does.

    ``words`` are words and the spaces between them, in turn. A formula ends with a comma or the like outside brackets.
    """
    end = start
    for place in range(start, len(words), 2):
        may_continue = (
            _may_continue(words[place])
            or _is_letter_a(words[place], words[start:place:2])
            or _is_operand(*words[place : place + 3 : 2])
        )
        if _name_in(words[place]) in names or not may_continue:
            break
        read = "".join(words[start : place + 1])
        if _depth(read) < 0:
            # A bracket of the sentence closes here; the formula in it may end.
            end = place + 1
            break
        end = place + 1
        if words[place][-1:] in ",;:." and _depth(read) == 0:
            break
    while end > start and not _is_formula(words[start:end:2]):
        end -= 2
    return max(end, start)


def _is_formula(words: Sequence[str]) -> bool:
    """Whether these words are a formula, and not merely words that could stand in one."""
    if words[-1] in _OPERATORS or (words[0] in _OPERATORS and len(words) == 1):
        return False
    return _cut(" ".join(words)) is not None and any(_is_mathematics(word) for word in words)


def _depth(text: str) -> int:
    """How many brackets are open at its end; negative as soon as one closes that was not opened."""
    depth = 0
    for character in text:
        depth += (character in "([{⟨") - (character in ")]}⟩")
        if depth < 0:
            return depth
    return depth


def _core(word: str) -> str:
    return word.strip("()[]⟨⟩.,;:")


def _is_mathematics(word: str) -> bool:
    """Whether the word can be nothing but a formula."""
    core = _core(word)
    if not core or not _may_continue(word):
        return False
    if core in GREEK or core in _OPERATORS:
        return core not in ("-", "/")
    indexed = re.fullmatch(r"([^\W\d_]+)\d+", core)
    if indexed:
        return len(indexed[1]) == 1 or indexed[1] in GREEK
    if len(core) == 1:
        return core.isalpha() and core not in "aAI"
    return bool(re.search(r"[_^=+*<>|]|\w/\w|\w\(|\w'$|^-\w|\w\[", core)) or bool(
        re.fullmatch(r"d[A-Z]|\d+[a-z]", core)
    )


def _may_continue(word: str) -> bool:
    """Whether the word can stand in a formula: it has no letters but those of the notation."""
    core = _core(word)
    if word in _OPERATORS or word.strip("([{}])|,;:.") == "":
        return bool(word)
    if not core or core in ("a", "A"):
        return False
    if re.search(r"[^\w+\-*/=<>|,;:.!~'^()\[\]{}⟨⟩×]", word) or re.search(r"--|\.\.\d", word):
        return False
    stems = _WORD.findall(_SUBSCRIPT.sub("", _CALLED.sub("", core)))
    if any(len(subscript) > LONGEST_SUBSCRIPT for subscript in _SUBSCRIPT.findall(core)):
        return False
    return all(len(stem) == 1 or stem in GREEK or stem in _FUNCTIONS or _is_product(stem) for stem in stems)


def _is_letter_a(word: str, before: Sequence[str]) -> bool:
    """Whether an a or A is a letter of the formula before it, and no article."""
    return _core(word) in ("a", "A") and bool(before) and (before[-1] in _OPERATORS or word[-1] in ")]")


def _is_operand(word: str, following: str = "") -> bool:
    """Whether a word opens a bracket in which something is done to it, as in (prediction - y)^2."""
    return following in _OPERATORS and bool(re.fullmatch(r"\([^\W\d_]+", word))


def _is_product(stem: str) -> bool:
    """Whether two letters are a product or a difference, as dW is."""
    return bool(re.fullmatch(r"d[A-Z]", stem))


def _formula(text: str) -> Markup:
    """A formula with the punctuation and the brackets of the sentence around it."""
    before, body, after = _cut(text) or (text, "", "")
    return Markup("{}{}{}").format(before, mathml(body, "′") if body else "", after)


def _cut(text: str) -> tuple[str, str, str] | None:
    """(what belongs to the sentence, the formula, what belongs to the sentence); None if no formula is left."""
    body = text.rstrip(",;:.")
    before, after = "", text[len(body) :]
    while _depth(body) > 0 and body[0] in "([":
        before, body = before + body[0], body[1:]
    while _depth(body) < 0 and body[-1] in ")]":
        body, after = body[:-1], body[-1] + after
    return (before, body, after) if body and _depth(body) == 0 else None
