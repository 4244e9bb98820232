"""Formulas: an expression as it was written, and a normal form, as text and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import sympy

from proofs.letters import AnyLetter, Compound, Diagonal, Entrywise, Factor, KernelLetter, Letter, Ones, Word
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
        return " ".join(_bracketed(operand, _PRODUCT, style) for operand in operands), _PRODUCT
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
        return f"{_bracketed(operands[0], _ATOM, style)}{mark}", _PRODUCT
    inside = ", ".join(_written(operand, style)[0] for operand in operands)
    head = str(formula.label if formula.label is not None else operation)
    return (f"\\operatorname{{{head}}}({inside})" if style == "latex" else f"{head}({inside})"), _ATOM


def _bracketed(formula: Formula, binding: int, style: Style) -> str:
    text, own = _written(formula, style)
    return text if own >= binding else f"({text})"


def sum_written(total: Sum, style: Style = "text") -> str:
    """A normal form on one line."""
    text = ""
    for monomial, c in total.sorted_terms():
        body = _monomial(monomial, total, style)
        factor = scalar_of(c, style)
        if not body:
            part = factor if factor not in ("", "-") else factor + "1"
        else:
            part = f"{factor}{body}" if factor in ("", "-") else f"{factor} {body}"
        if text:
            text += f" - {part[1:].lstrip()}" if part.startswith("-") else f" + {part}"
        else:
            text = part
    return text or "0"


def _monomial(monomial: Monomial, total: Sum, style: Style) -> str:
    scalars = [f"({_word(word, style)})" for word in monomial.scalars]
    if monomial.word:
        return " ".join([*scalars, _word(monomial.word, style)])
    return " ".join(scalars) if total.rows == 1 and total.columns == 1 else " ".join([*scalars, "I"])


def _word(word: Word, style: Style) -> str:
    return " ".join(_factor(factor, style) for factor in word)


def _factor(factor: Factor, style: Style) -> str:
    name = letter_of(factor.letter, style)
    marks = ("^{-1}" if style == "latex" else "^-1") if factor.inverted else ""
    if factor.transposed:
        marks = ("^{-\\top}" if factor.inverted else "^\\top") if style == "latex" else marks + "'"
    return f"{{{name}}}{marks}" if style == "latex" and marks and "^" in name else f"{name}{marks}"


def letter_of(letter: AnyLetter, style: Style) -> str:
    """A letter, arguments included."""
    if isinstance(letter, Letter):
        return name_of((letter.name, letter.index), style)
    if isinstance(letter, Ones):
        return f"1_{letter.rows}" if style == "text" else f"\\mathbf{{1}}_{{{letter.rows}}}"
    name, arguments = _function_of(letter)
    inside = ", ".join(sum_written(argument, style) for argument in arguments)
    return f"{name}({inside})" if style == "text" else f"\\operatorname{{{name}}}({inside})"


def _function_of(letter: Diagonal | Entrywise | KernelLetter | Compound) -> tuple[str, tuple[Sum, ...]]:
    if isinstance(letter, Diagonal):
        return "diag", (letter.column,)
    if isinstance(letter, Entrywise):
        return letter.function, (letter.argument,)
    if isinstance(letter, KernelLetter):
        return letter.name, (letter.keys, letter.queries)
    return letter.operation, letter.arguments


_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "eta",
        "lambda",
        "lam",
        "mu",
        "nu",
        "rho",
        "sigma",
        "tau",
        "phi",
        "chi",
        "psi",
        "omega",
        "kappa",
    ]
)


def name_of(label: tuple[str, Any], style: Style) -> str:
    """A letter's name: ``W_0``, ``A_l``; as LaTeX with its subscript."""
    name, index = label
    if style == "text":
        return name if index is None else f"{name}_{index}" if re.fullmatch(r"\w+", str(index)) else f"{name}_({index})"
    stem, _, subscript = name.partition("_")
    star = "^\\star" if subscript == "star" else ""
    stem = {"lam": "\\lambda"}.get(stem, f"\\{stem}" if stem in _GREEK else stem)
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
    writer: Callable[[Any], str] = sympy.latex if style == "latex" else plain
    sign = "-" if value.could_extract_minus_sign() else ""
    value = -value if sign else value
    text = writer(value)
    return sign + (f"({text})" if isinstance(value, sympy.Add) or (style == "text" and "/" in text) else text)


def plain(value: Any) -> str:
    """A SymPy expression as text: eta_l for eta[l], ^ for powers."""
    return re.sub(r"(\w+)\[(\w+)\]", r"\1_\2", str(value)).replace("**", "^").replace("*", " ")
