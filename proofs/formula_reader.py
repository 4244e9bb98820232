"""Formulas as trees, read from the project's text notation.

The notation: factors stand side by side, ' transposes, ^ and ** raise, _ and a bracket right after a name index, a
bracket right after a name holds arguments, <- assigns; Greek letters and words are spelled out. It is read loosely: the
leaves of a tree are the symbols of the text, in its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

TALLEST = 60
"""A fraction of more symbols is written with a slash, since nothing breaks a fraction."""

_SPELLED = (
    "alpha α beta β gamma γ delta δ epsilon ε eps ε zeta ζ eta η theta θ iota ι kappa κ kap κ lambda λ lam λ mu μ nu ν "
    "xi ξ pi π rho ρ sigma σ tau τ phi φ chi χ psi ψ omega ω ell ℓ "
    "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Sigma Σ Phi Φ Psi Ψ Omega Ω"
)

GREEK = dict(re.findall(r"(\S+) (\S)", _SPELLED))
"""The letters that are spelled out, as they are drawn."""

SQUARES = {"sigma2": "sigma", "s2": "s"}
"""The letters whose 2 squares them, since they are variances; after any other letter it is an index."""

_WORDS = {**GREEK, "sqrt": "√", "infinity": "∞"}

_SIGNS = {"<-": "←", "->": "→", "<=": "≤", ">=": "≥", "!=": "≠", "-": "−", "==": "=", "~": "∼"}
CLOSING = {"": "", "(": ")", "[": "]", "{": "}", "⟨": "⟩"}
_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![^\W\d]*_)|\d+(?=_))"
    r"|(?P<name>[^\W\d_]+\d*)"
    r"|(?P<sign><-|->|<=|>=|!=|==|\*\*|[-+*/=<>|,;:.!~'^_()\[\]{}⟨⟩×])"
)


class Unreadable(ValueError):
    """A text that is no formula of the notation."""


@dataclass(frozen=True)
class Token:
    """A number, a name or a sign, and whether a space stands before it."""

    kind: str
    text: str
    spaced: bool


@dataclass(frozen=True)
class Leaf:
    """A symbol: an element name, and what it holds."""

    element: str
    text: str
    spaced: bool = False


@dataclass(frozen=True)
class Group:
    """A row between brackets, or between none."""

    opening: str
    row: tuple[Node, ...]
    follows_name: bool = False
    spaced: bool = False


@dataclass(frozen=True)
class Script:
    """A base with a subscript or superscripts."""

    base: Node
    below: tuple[Node, ...]
    above: tuple[Node, ...]
    spaced: bool = False


@dataclass(frozen=True)
class Fraction:
    """A numerator over a denominator."""

    above: tuple[Node, ...]
    below: tuple[Node, ...]
    spaced: bool = False


Node = Leaf | Group | Script | Fraction


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a formula.

    Raises:
        Unreadable: at a character that is none of the notation.
    """
    text, place = with_angles(text), 0
    while place < len(text):
        spaced = text[place].isspace()
        place += 1 if spaced else 0
        if spaced and (place == len(text) or text[place].isspace()):
            continue
        found = _TOKEN.match(text, place)
        if found is None:
            raise Unreadable(text[place:])
        yield Token(str(found.lastgroup), found[0], spaced)
        place = found.end()


def with_angles(text: str) -> str:
    """The text with angle brackets around inner products, which are typed as <a, b>.

    >>> with_angles("a < b, <a, b>")
    'a < b, ⟨a, b⟩'
    """
    return re.sub(r"<(?=\S)([^<>=]*,[^<>=]*\S)>", r"⟨\1⟩", text)


def formula_read(text: str, transpose: str = "⊤") -> tuple[Node, ...]:
    """The formula as a row of nodes.

    Args:
        text: a formula of the notation.
        transpose: what ' is drawn as.

    Raises:
        Unreadable: if it is none.
    """
    return _Reader(list(tokens(text)), transpose).whole()


class _Reader:
    """A reader of tokens, from left to right."""

    def __init__(self, held: Sequence[Token], transpose: str) -> None:
        self.held, self.place, self.transpose = held, 0, transpose

    def whole(self) -> tuple[Node, ...]:
        """Everything."""
        row = self.row("")
        if self.place < len(self.held) or not row:
            raise Unreadable("a bracket closes that was not opened, or nothing is there")
        return row

    def row(self, closing: str) -> tuple[Node, ...]:
        """Everything up to the closing bracket."""
        nodes: list[Node] = []
        while (token := self.next()) is not None and token.text not in (closing or ")", *")]}⟩"):
            if token.text == "*":
                self.place += 1
            else:
                nodes.append(self.scripted(token))
        if closing and (token is None or token.text != closing):
            raise Unreadable(f"a bracket is not closed by {closing}")
        return with_fractions(nodes)

    def _is_star(self, token: Token) -> bool:
        """Whether this token is a * that belongs to the letter before it, and is no product."""
        following = self.held[self.place + 1] if self.place + 1 < len(self.held) else None
        return token.text == "*" and (following is None or following.spaced or following.text in ")]}⟩,;[^")

    def scripted(self, token: Token) -> Node:
        """One symbol or group with its scripts."""
        node: Node = self.primary(token)
        while (following := self.next()) is not None and not following.spaced:
            if following.text in ("^", "**"):
                self.place += 1
                node = _raised(node, *self.exponent())
            elif following.text == "'":
                self.place += 1
                mark = Leaf("mo", self.transpose)
                # A prime is high as it is; other marks are raised.
                node = Group("", (node, mark), spaced=node.spaced) if mark.text == "′" else _raised(node, mark)
            elif self._is_star(following):
                self.place += 1
                node = _raised(node, Leaf("mo", "⋆"))
            elif following.text == "_":
                self.place += 1
                if node == Leaf("mtext", "sum", token.spaced):
                    node = Leaf("mi", "∑", token.spaced)
                node = _lowered(node, *self.index())
            elif following.text == "[" and _is_symbol(node):
                self.place += 1
                node = _lowered(node, *self.row("]"))
                self.place += 1
            else:
                # The arguments of a function, too, follow it as a group of their own.
                break
        return node

    def primary(self, token: Token) -> Node:
        """One symbol or group."""
        self.place += 1
        if token.text in CLOSING:
            row = self.row(CLOSING[token.text])
            self.place += 1
            return Group(token.text, row, self._follows_name(token), token.spaced)
        if token.kind == "number":
            return Leaf("mn", token.text, token.spaced)
        if token.kind == "name":
            return _named(token.text, token.spaced)
        if token.text in ("^", "_", "'", "**"):
            raise Unreadable(f"{token.text} after nothing")
        return Leaf("mo", _SIGNS.get(token.text, token.text), token.spaced)

    def _follows_name(self, token: Token) -> bool:
        """Whether the bracket just read stands right after a name."""
        opened = next(place for place in range(self.place - 1, -1, -1) if self.held[place] is token)
        return opened > 0 and not token.spaced and self.held[opened - 1].text not in ("(", "[", "{", "⟨", "-", "/", "|")

    def exponent(self) -> tuple[Node, ...]:
        """What stands after ^: a symbol or a group, perhaps negated; a T transposes."""
        token = self.next()
        if token is None:
            raise Unreadable("^ before nothing")
        if token.text == "+":
            self.place += 1
            return (Leaf("mo", "+"),)
        minus: tuple[Node, ...] = ()
        if token.text == "-":
            self.place += 1
            minus, token = (Leaf("mo", "−"),), self.next()
        if token is None:
            raise Unreadable("^- before nothing")
        node = self.primary(token)
        following = self.next()
        if following is not None and following.text == "_" and not following.spaced:
            self.place += 1
            node = _lowered(node, *self.index())
        if node == Leaf("mi", "T", token.spaced):
            node = Leaf("mo", "⊤")
        return (*minus, *(node.row if isinstance(node, Group) and node.opening in "({" else (node,)))

    def index(self) -> tuple[Node, ...]:
        """What stands after _: a number, a name or a group."""
        token = self.next()
        if token is None or token.spaced or (token.kind == "sign" and token.text not in CLOSING):
            raise Unreadable("_ before no index")
        node = self.primary(token)
        return node.row if isinstance(node, Group) else (node,)

    def next(self) -> Token | None:
        """The token that comes next."""
        return self.held[self.place] if self.place < len(self.held) else None


def _named(name: str, spaced: bool) -> Node:
    if name in SQUARES:
        return Script(_named(SQUARES[name], False), (), (Leaf("mn", "2"),), spaced)
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    drawn = _WORDS.get(stem, stem)
    if re.fullmatch(r"d[A-Z]", drawn):
        return Group("", (Leaf("mi", "d"), Leaf("mi", drawn[1])), spaced=spaced)
    if len(drawn) == 1:
        letter = Leaf("mi", drawn, spaced)
        return Script(letter, (Leaf("mn", digits),), (), spaced) if digits else letter
    return Leaf("mtext", drawn + digits, spaced)


def _is_symbol(node: Node) -> bool:
    return node.element != "mo" if isinstance(node, Leaf) else isinstance(node, Script) and _is_symbol(node.base)


def _raised(node: Node, *above: Node) -> Script:
    is_power = isinstance(node, Script) and any(each.element == "mn" for each in node.above if isinstance(each, Leaf))
    if is_power and not (isinstance(above[0], Leaf) and above[0].element == "mo" and above[0].text != "−"):
        # A power of a power: one row of exponents would be read as one number.
        return Script(Group("(", (replace(node, spaced=False),)), (), above, node.spaced)
    if isinstance(node, Script):
        return Script(node.base, node.below, (*node.above, *above), node.spaced)
    return Script(node, (), above, node.spaced)


def _lowered(node: Node, *below: Node) -> Script:
    if below == (Leaf("mtext", "star"),):
        return _raised(node, Leaf("mo", "⋆"))
    if isinstance(node, Script):
        comma = (Leaf("mo", ","),) if node.below else ()
        return Script(node.base, (*node.below, *comma, *below), node.above, node.spaced)
    return Script(node, below, (), node.spaced)


BREAKING = frozenset("+−=←→≤≥≠<>,;:∼")
"""The operators between terms."""


def with_fractions(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The row with a / b drawn as a fraction wherever a is all of its term before the slash, and b all after it."""
    done: list[Node] = []
    term: list[Node] = []
    for node in (*nodes, Leaf("mo", ",")):
        if isinstance(node, Leaf) and node.element == "mo" and node.text in BREAKING:
            done += _term(term)
            done.append(node)
            term = []
        else:
            term.append(node)
    return tuple(done[:-1])


def _term(term: Sequence[Node]) -> list[Node]:
    slashes = [place for place, node in enumerate(term) if isinstance(node, Leaf) and node.text == "/"]
    below = list(term[slashes[0] + 1 :]) if slashes else []
    is_one = len(below) == 1 or (len(below) == 2 and is_arguments(below[1]))
    has_bar = any(isinstance(node, Leaf) and node.text == "|" for node in term)
    if len(slashes) != 1 or not is_one or slashes[0] == 0 or has_bar or count_of(term) > TALLEST:
        return list(term)
    above = tuple(term[: slashes[0]])
    return [Fraction(_without_brackets(above), _without_brackets(tuple(below)), above[0].spaced)]


def is_arguments(node: Node) -> bool:
    """Whether these are the arguments of the function before."""
    inside = node.base if isinstance(node, Script) else node
    return isinstance(inside, Group) and inside.follows_name


def _without_brackets(row: tuple[Node, ...]) -> tuple[Node, ...]:
    return row[0].row if len(row) == 1 and isinstance(row[0], Group) and row[0].opening == "(" else row


def count_of(row: Sequence[Node]) -> int:
    """How many symbols are drawn."""
    total = 0
    for node in row:
        if isinstance(node, Leaf):
            total += 1 if len(node.text) == 1 else (len(node.text) + 1) // 2
        elif isinstance(node, Group):
            total += 2 * bool(node.opening) + count_of(node.row)
        elif isinstance(node, Script):
            total += count_of([node.base]) + count_of(node.below) + count_of(node.above)
        else:
            total += max(count_of(node.above), count_of(node.below))
    return total
