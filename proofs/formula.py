"""Formulas: an expression as it was written, and a normal form, as text and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, TypeAlias

import sympy

from proofs.formula_reader import SQUARES
from proofs.letters import AnyLetter, Compound, Diagonal, Entrywise, Factor, Features, KernelLetter, Letter, Ones, Word
from proofs.words import Monomial, Sum

Style: TypeAlias = Literal["text", "latex"]

_SUM, _PRODUCT, _ATOM = 0, 1, 2


@dataclass(frozen=True)
class Formula:
    """An expression tree: an operation, its operands, and a scalar or name that belongs to it."""

    operation: str
    operands: tuple[Formula, ...] = ()
    label: Any = None

    def written(self, style: Style = "text") -> str:
        """The formula on one line."""
        return _written(self, style)[0]


def _written(formula: Formula, style: Style) -> tuple[str, int]:
    """(the formula, how tightly it binds)"""
    operation, operands = formula.operation, formula.operands
    if operation == "letter":
        return name_of(formula.label, style), _ATOM
    if operation == "+":
        text = ""
        for operand in operands:
            part, _ = _written(operand, style)
            part = f"({part})" if operand.operation == "+" else part
            if part.startswith("-"):
                text += f" - {part[1:].lstrip()}" if text else part
            else:
                text += f" + {part}" if text else part
        return text, _SUM
    if operation == "@":
        first, *rest = operands
        others = (_bracketed(each, _ATOM if each.operation == "scale" else _PRODUCT, style) for each in rest)
        return " ".join([_bracketed(first, _PRODUCT, style), *others]), _PRODUCT
    if operation == "scale":
        factor = scalar_of(formula.label, style)
        body = _bracketed(operands[0], _PRODUCT, style)
        return f"{factor}{body}" if factor in ("-", "") else f"{factor} {body}", _SUM if factor.startswith(
            "-"
        ) else _PRODUCT
    if operation in ("T", "inverse"):
        mark = {
            ("T", "text"): "'",
            ("T", "latex"): "^\\top",
            ("inverse", "text"): "^-1",
            ("inverse", "latex"): "^{-1}",
        }[operation, style]
        return f"{_braced(_bracketed(operands[0], _ATOM, style), style)}{mark}", _PRODUCT
    inside = ", ".join(_written(operand, style)[0] for operand in operands)
    return _applied(str(formula.label if formula.label is not None else operation), inside, style), _ATOM


def _bracketed(formula: Formula, binding: int, style: Style) -> str:
    text, own = _written(formula, style)
    if own >= binding:
        return text
    return f"[{text}]" if text.startswith("(") else f"({text})"


def _braced(text: str, style: Style) -> str:
    """The text, ready to be given a superscript: TeX refuses a second one."""
    return f"{{{text}}}" if style == "latex" and "^" in text and text[-1] not in ")]" else text


def _applied(name: str, inside: str, style: Style) -> str:
    if style == "text":
        return f"{name}({inside})"
    if _GREEK.fullmatch(name.partition("_")[0]):
        return f"{name_of((name, None), style)}({inside})"
    return rf"\operatorname{{{name}}}({inside})".replace("_", r"\_", name.count("_"))


def sum_written(total: Sum, style: Style = "text") -> str:
    """A normal form on one line."""
    text = ""
    for monomial, c in total.sorted_terms():
        body = _monomial(monomial, total, style)
        factor = scalar_of(c, style)
        if not body:
            part = _number(c, style, len(total.terms) == 1)
        else:
            part = f"{factor}{body}" if factor in ("", "-") else f"{factor} {body}"
        if text:
            text += f" - {part[1:].lstrip()}" if part.startswith("-") else f" + {part}"
        else:
            text = part
    return text or "0"


def _number(value: Any, style: Style, alone: bool) -> str:
    """A coefficient without a word: in brackets only among other terms."""
    text = scalar_of(value, style)
    if text in ("", "-"):
        return f"{text}1"
    if value.is_Number and style == "text":
        return plain(value)
    return _unbracketed(text) if alone else text


def _unbracketed(text: str) -> str:
    """The text without brackets around the whole of it."""
    depths = list(accumulate({"(": 1, ")": -1}.get(character, 0) for character in text))
    return text[1:-1] if text.startswith("(") and depths.index(0) == len(text) - 1 else text


def _monomial(monomial: Monomial, total: Sum, style: Style) -> str:
    scalars = [_word(word, style) for word in monomial.scalars]
    words = [_word(monomial.word, style)] if monomial.word else []
    if not words and (total.rows != 1 or total.columns != 1):
        words = ["I"]
    if len(scalars) + len(words) > 1:
        scalars = [f"({text})" if len(word) > 1 else text for text, word in zip(scalars, monomial.scalars, strict=True)]
    return " ".join([*scalars, *words])


def _word(word: Word, style: Style) -> str:
    return " ".join(_factor(factor, style) for factor in word)


def _factor(factor: Factor, style: Style) -> str:
    name = letter_of(factor.letter, style)
    marks = ("^{-1}" if style == "latex" else "^-1") if factor.inverted else ""
    if factor.transposed:
        marks = ("^{-\\top}" if factor.inverted else "^\\top") if style == "latex" else marks + "'"
    return f"{_braced(name, style)}{marks}" if marks else name


def letter_of(letter: AnyLetter, style: Style) -> str:
    """A letter, arguments included."""
    if isinstance(letter, Letter):
        return name_of((letter.name, letter.index), style)
    if isinstance(letter, Ones):
        rows = plain(letter.rows)
        if style == "latex":
            return f"\\mathbf{{1}}_{{{rows}}}"
        return f"1_{rows}" if re.fullmatch(r"\w+", rows) else f"1_({rows})"
    name, arguments = _function_of(letter)
    inside = ", ".join(sum_written(argument, style) for argument in arguments)
    if name == "inverse":
        return f"({inside})^-1" if style == "text" else f"({inside})^{{-1}}"
    return _applied(name, inside, style)


def _function_of(letter: Diagonal | Entrywise | KernelLetter | Features | Compound) -> tuple[str, tuple[Sum, ...]]:
    if isinstance(letter, Diagonal):
        return "diag", (letter.column,)
    if isinstance(letter, Entrywise):
        return letter.function, (letter.argument,)
    if isinstance(letter, KernelLetter):
        return letter.name, (letter.keys, letter.queries)
    if isinstance(letter, Features):
        return letter.name, (letter.argument,)
    return letter.operation, letter.arguments


_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega"
)

_WORD = re.compile("[A-Za-z]{2,}")


def name_of(label: tuple[str, Any], style: Style) -> str:
    """A letter's name: ``W_0``, ``A_l``; as LaTeX with its subscript."""
    name, index = label
    if style == "latex" and name in SQUARES:
        return (
            name_of((SQUARES[name], None), style) + "^{2}" + (f"_{{{sympy.latex(index)}}}" if index is not None else "")
        )
    if style == "text":
        return name if index is None else f"{name}_{index}" if re.fullmatch(r"\w+", str(index)) else f"{name}_({index})"
    stem, _, subscript = name.partition("_")
    star = "^\\star" if subscript == "star" else ""
    words = {"lam": "\\lambda", "eps": "\\varepsilon", "epsilon": "\\varepsilon", "ones": "\\mathbf{1}"}
    stem = words.get(stem, f"\\{stem}" if _GREEK.fullmatch(stem) else _WORD.sub(r"\\mathrm{\g<0>}", stem))
    parts = [part for part in ("" if star else subscript, "" if index is None else sympy.latex(index)) if part]
    parts = [f"\\mathrm{{{part}}}" if part.isalpha() and len(part) > 1 else part for part in parts]
    return f"{stem}{star}" + (f"_{{{','.join(parts)}}}" if parts else "")


def scalar_of(value: Any, style: Style) -> str:
    """A scalar as a factor in front of a matrix: nothing for 1, a minus for -1."""
    value = sympy.sympify(value)
    if value == 1:
        return ""
    if value == -1:
        return "-"
    numerator, denominator = sympy.fraction(value)
    is_negative = all(term.could_extract_minus_sign() for term in sympy.Add.make_args(numerator))
    sign, numerator = ("-", -numerator) if is_negative else ("", numerator)
    value = numerator / denominator if sign else value
    if style == "latex":
        names = {symbol: name_of((symbol.name, None), style) for symbol in value.atoms(sympy.Symbol)}
        text = sympy.latex(value, symbol_names=names)
        return sign + (f"({text})" if isinstance(value, sympy.Add) else text)
    text = plain(value)
    if text.startswith("(") and denominator != 1:
        return f"{sign}({plain(1 / denominator)}) {scalar_of(numerator, style)}"
    return sign + (f"({text})" if isinstance(value, sympy.Add) or "/" in text else text)


def plain(value: Any) -> str:
    """A SymPy expression as text: eta_l for eta[l], ^ for powers."""
    return re.sub(r"(\w+)\[(\w+)\]", r"\1_\2", str(value)).replace("**", "^").replace("*", " ")


def inverses_in(formula: Formula) -> Iterator[str]:
    """What is inverted somewhere in a formula, written as text."""
    if formula.operation == "inverse":
        yield formula.operands[0].written()
    for operand in formula.operands:
        yield from inverses_in(operand)


def operations_in(formula: Formula) -> Iterator[str]:
    """The operations of a formula."""
    yield formula.operation
    for operand in formula.operands:
        yield from operations_in(operand)
