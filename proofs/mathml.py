"""Formulas as MathML, from the project's text notation (``proofs.formula_reader``).

What is drawn has the symbols of the text, in its order; whatever cannot be read stays the text that it is. Browsers do
not break a formula into lines, so a long one is written as several, side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from markupsafe import Markup, escape

from proofs.formula_reader import (
    BREAKING,
    CLOSING,
    Fraction,
    Group,
    Leaf,
    Node,
    Script,
    Unreadable,
    count_of,
    formula_read,
    is_arguments,
)

LONGEST = 20
"""So many symbols stand in one piece; a longer formula may be broken at its operators and between its factors."""


@lru_cache(maxsize=1 << 15)
def mathml(text: str, transpose: str = "⊤") -> Markup:
    """The formula as MathML, or the text itself, escaped, where it cannot be read.

    Args:
        text: a formula of the notation.
        transpose: what ' is drawn as.

    >>> mathml("X' W_0")
    Markup('<math><msup><mi>X</mi><mo>⊤</mo></msup><msub><mi>W</mi><mn>0</mn></msub></math>')
    """
    try:
        row = formula_read(text, transpose)
    except Unreadable:
        return Markup('<span class="text">{}</span>').format(text)
    if count_of(row) <= LONGEST:
        return Markup(f"<math>{_row(row)}</math>")
    return Markup("<wbr>").join(Markup(f"<math>{piece}</math>") for piece in _pieces(row))


def _row(row: Sequence[Node]) -> str:
    return "".join(html for html, _ in _elements(row))


def _elements(row: Sequence[Node]) -> Iterator[tuple[str, bool]]:
    """(element, whether a line may be broken before it), for every node of a row."""
    before: Node | None = None
    for node in row:
        is_operator = isinstance(node, Leaf) and node.element == "mo"
        after_operator = before is None or (isinstance(before, Leaf) and before.element == "mo" and before.text != "|")
        if isinstance(node, Leaf) and is_operator and node.text in BREAKING:
            is_sign = after_operator and node.text in "+−"
            form = ' form="prefix"' if is_sign else ""
            yield f"<mo{form}>{escape(node.text)}</mo>", not is_sign and node.text not in ",;:"
        else:
            is_argument = is_arguments(node)
            gap = before is not None and node.spaced and (_is_word(before) or _is_word(node)) and not after_operator
            space = '<mspace width=".25em"></mspace>' if gap else ""
            comma = isinstance(before, Leaf) and before.text in ",;:"
            yield space + _drawn(node), comma or not (after_operator or is_argument or is_operator)
        before = node


def _is_word(node: Node) -> bool:
    if isinstance(node, Script):
        return _is_word(node.base)
    return isinstance(node, Leaf) and node.element == "mtext"


def _drawn(node: Node) -> str:
    if isinstance(node, Leaf):
        if node.element == "mo":
            return _fence(node.text) if node.text in "|/" else f"<mo>{escape(node.text)}</mo>"
        return f"<{node.element}>{escape(node.text)}</{node.element}>"
    if isinstance(node, Fraction):
        return f"<mfrac>{_one(node.above)}{_one(node.below)}</mfrac>"
    if isinstance(node, Group):
        return _row(node.row) if _is_bare(node) else _bracketed(node)
    # The brackets of a base stay: a power of a fraction without them would read as that of its numerator.
    base = f"<mrow>{_bracketed(node.base)}</mrow>" if isinstance(node.base, Group) else _drawn(node.base)
    return _scripts(base, node)


def _bracketed(node: Group) -> str:
    inside = _row(node.row)
    return f"{_fence(node.opening)}{inside}{_fence(CLOSING[node.opening])}" if node.opening else inside


def _scripts(base: str, node: Script) -> str:
    below, above = _tight(node.below), _tight(node.above)
    if node.below and node.above:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    return f"<msub>{base}{below}</msub>" if node.below else f"<msup>{base}{above}</msup>"


def _is_bare(node: Group) -> bool:
    """Whether no brackets are drawn: there are none, or they hold a fraction and nothing else."""
    is_fraction = len(node.row) == 1 and isinstance(node.row[0], Fraction)
    return not node.opening or (node.opening == "(" and not node.follows_name and is_fraction)


def _fence(sign: str) -> str:
    spaces = ' lspace="0" rspace="0"' if sign in "|/" else ""
    return f'<mo stretchy="false"{spaces}>{sign}</mo>'


def _one(row: Sequence[Node]) -> str:
    """The row as one element."""
    drawn = _row(row)
    return drawn if len(row) == 1 and not isinstance(row[0], Group) else f"<mrow>{drawn}</mrow>"


def _tight(row: Sequence[Node]) -> str:
    """The row as one element, without spaces around its operators."""
    return _one(row) if len(row) == 1 else _one(row).replace("<mo>", '<mo lspace="0" rspace="0">')


def _pieces(row: Sequence[Node]) -> list[str]:
    """The row cut wherever a line may be broken; long brackets are cut inside as well."""
    pieces: list[str] = []
    for node, (html, may_break) in zip(row, _elements(row), strict=True):
        inside = node.base if isinstance(node, Script) else node
        if isinstance(inside, Group) and not _is_bare(inside) and count_of([node]) > LONGEST // 2:
            cut = _pieces(inside.row)
            closing = _fence(CLOSING[inside.opening])
            cut[0] = _fence(inside.opening) + cut[0]
            cut[-1] += _scripts(closing, node) if isinstance(node, Script) else closing
        else:
            cut = [html]
        if pieces and not may_break:
            pieces[-1] += cut.pop(0)
        elif pieces and cut[0].startswith("<mo>") and isinstance(node, Leaf):
            cut[0] = cut[0].replace("<mo>", '<mo form="infix">', 1)
        pieces += cut
    return pieces
