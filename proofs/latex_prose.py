r"""Prose in LaTeX: sentences in which formulas are written as plain text, ``W_0 - (eta/n) (W_0 X - Y) X^T``.

A run of words that can stand in a formula, with one among them that can stand nowhere else, is set as a formula; what
is not recognised stays text. Nothing is left out, and whatever comes in, what comes out compiles with amsmath.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from proofs.formula_reader import SQUARES

GREEK = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon eps zeta eta theta kap kappa lambda lam mu nu xi pi rho sigma tau phi chi psi "
        "omega Gamma Delta Theta Lambda Sigma Phi Psi Omega lmax lmin",
    )
)

_RENAMED = {
    "kap": r"\kappa",
    "lam": r"\lambda",
    "lmax": r"\lambda_{\max}",
    "lmin": r"\lambda_{\min}",
    "eps": r"\varepsilon",
    "epsilon": r"\varepsilon",
}

_LARGE = {"sum": r"\sum", "prod": r"\prod"}

_KNOWN = frozenset(re.findall(r"\w+", "cos deg det exp ln log max min"))
"""Functions that LaTeX has."""

_FUNCTIONS = frozenset(re.findall(r"\w+", "arcosh arm binomial cvec diag leg sgn sign sqrt tr trace Tr"))

_CALLED = frozenset(re.findall(r"\w+", "C Res ReLU ceil floor loss rank relu reciprocal softmax square vec"))
"""Functions whose names are words of a sentence, unless they have arguments."""

_OPERATORS = {
    "<=": r"\le ",
    ">=": r"\ge ",
    "!=": r"\ne ",
    "<-": r"\leftarrow ",
    "->": r"\to ",
    "...": r"\ldots ",
    "*": r"\cdot ",
    "~": r"\sim ",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "$": r"\$",
    "\\": r"\backslash ",
    "_": r"\_",
    "^": r"{\wedge}",
    "'": r"{}'",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "×": r"\times ",
}

_TOKEN = re.compile(r"\.\.\.|<=|>=|!=|<-|->|\d+(?:\.\d+)?|[A-Za-z]+|\s+|.", re.DOTALL)

_ESCAPED = {
    **{sign: f"\\{sign}" for sign in "_&%#${}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "×": r"$\times$",
}


def escaped(text: str) -> str:
    """Text, every special sign escaped."""
    return "".join(_ESCAPED.get(sign, sign) for sign in text)


def name_in_latex(name: str) -> str:
    """A theorem's name, which may be broken after each of its words."""
    return r"\texttt{" + escaped(name).replace(r"\_", r"\_\allowbreak{}") + "}"


def prose_in_latex(text: str) -> str:
    r"""A sentence with its formulas set.

    >>> prose_in_latex("one step from any W_0, at lam <= 2")
    'one step from any $W_{0}$, at $\\lambda \\le 2$'
    """
    text = re.sub(r"<([^\s<>=,]+), ?([^\s<>=,]+)>", "⟨\\1, \\2⟩", text)
    words = re.split(r"(\s+)", re.sub(r"\((\w+) x (\w+)\)", "(\\1×\\2)", text))
    parts: list[str] = []
    place = 0
    while place < len(words):
        end = _end_of_formula(words, place)
        if end > place:
            before, body, after = _cut("".join(words[place:end]))
            parts.append(f"{escaped(before)}${formula_in_latex(body)}${escaped(after)}")
            place = end
        else:
            parts.append(_word(words[place]))
            place += 1
    return "".join(parts)


def _word(word: str) -> str:
    core = word.strip("()[].,;:\"'`")
    if re.fullmatch(r"[a-z0-9]+(?:_[a-z0-9]+){2,}", core):
        before, _, after = word.partition(core)
        return f"{escaped(before)}{name_in_latex(core)}{escaped(after)}"
    if raised := re.fullmatch(r"(.*[\w)|])\^(\d+|T)([^\w^]*)", word):  # a power of words, (left - right)^2
        base, power, after = raised.groups()
        power = power.replace("T", r"\top")
        return f"{prose_in_latex(base)}${{}}^{{{power}}}${escaped(after)}"
    return " " if word.isspace() else escaped(word)


# Where formulas are.


def _end_of_formula(words: Sequence[str], start: int) -> int:
    """Where the formula ends that starts here, the start itself if none does; words and spaces alternate."""
    if start % 2 or not _can_stand(words, start):
        return start
    end = start
    for place in range(start, len(words), 2):
        if not _can_stand(words, place):
            break
        end = place + 1
        depth = _depth("".join(words[start:end]))
        if depth < 0 or (depth == 0 and words[place][-1:] in ",;:."):
            break
    while end > start and not _is_formula(words[start:end:2]):
        end -= 2
    return max(end, start)


def _is_formula(words: Sequence[str]) -> bool:
    body = _cut(" ".join(words))[1]
    if not body or _depth(body) or _core(words[-1]) in ("=", "+", "-", "<", ">", "<=", ">=", "<-", "->", "/"):
        return False
    return any(_is_certain(word) for word in words)


def _can_stand(words: Sequence[str], place: int) -> bool:
    """Whether a word can stand in a formula."""
    word, core = words[place], _core(words[place])
    if not word:
        return False
    if not core:
        return set(word) <= set("+-=/<>|()[].,") and bool(set(word) - set(".,"))
    if core in ("a", "A"):
        beside = [words[p] for p in (place - 2, place + 2) if 0 <= p < len(words)]
        return any(re.fullmatch(r"[-+=/<>]+", each) for each in beside) or word != core
    if re.search(r"[^\w+\-*/=<>|,;:.!~'^()\[\]{}⟨⟩×]|--|\.\.\d", word):
        return False
    bare = re.sub(r"_[A-Za-z]+", "", re.sub(rf"\b(?:{'|'.join(_CALLED)})(?=[(^])|\bsum(?=_)", "", core))
    if re.search(r"_[A-Za-z]{9,}|_[A-Za-z]{2,}_", core):
        return False
    return all(_is_notation(stem) for stem in re.findall(r"[A-Za-z]+", bare))


def _is_notation(stem: str) -> bool:
    return (
        len(stem) == 1
        or stem in GREEK
        or stem in _FUNCTIONS
        or stem in _KNOWN
        or stem == "prod"
        or bool(re.fullmatch(r"d[A-Z]", stem))
    )


def _is_certain(word: str) -> bool:
    """Whether a word can be nothing but part of a formula."""
    core = _core(word)
    if core in GREEK or core in SQUARES or re.fullmatch(r"[=+]|<=|>=|<-|->|!=|<|>|d[A-Z]|[A-Za-z]\d+", core or word):
        return True
    if len(core) == 1:
        return core.isalpha() and core not in "aAI"
    return bool(re.search(r"[_^=+*<>|×]|\w/\w|\w\(|\w\[|^\[\[|\w'", core)) or bool(re.fullmatch(r"\d+[a-z]", core))


def _core(word: str) -> str:
    return word.strip("()[]⟨⟩.,;:")


def _depth(text: str) -> int:
    """How many brackets are open at its end; negative as soon as one closes that was not opened."""
    depth = 0
    for sign in text:
        depth += (sign in "([{⟨") - (sign in ")]}⟩")
        if depth < 0:
            return depth
    return depth


def _cut(text: str) -> tuple[str, str, str]:
    """(what belongs to the sentence, the formula, what belongs to the sentence)"""
    body = text.rstrip(",;:.")
    before, after = "", text[len(body) :]
    while _depth(body) > 0 and body[:1] in ("(", "["):
        before, body = before + body[0], body[1:]
    while _depth(body) < 0 and body[-1:] in (")", "]"):
        body, after = body[:-1], body[-1] + after
    return before, body, after


# Formulas.


def formula_in_latex(text: str, transpose: str = "{}'") -> str:
    r"""A formula that is written as text.

    Args:
        text: the formula; indices after _ or in square brackets, exponents after ^, matrices as [[a, b], [c, d]].
        transpose: what ' stands for: a prime, or ``"^\top "``.

    >>> formula_in_latex("lam_(l+1) = lam_l (1 - gamma_l lam_l)^2")
    '\\lambda_{l+1} = \\lambda_{l} (1 - \\gamma_{l} \\lambda_{l})^{2}'
    >>> formula_in_latex("diag(I, 0) X^T")
    '\\operatorname{diag}(I, 0) X^{\\top}'
    """
    return _sequence(_TOKEN.findall(text), transpose)


def _sequence(tokens: Sequence[str], transpose: str) -> str:
    return "".join(_pieces(list(tokens), transpose)).strip().removesuffix(r"\,")


def _pieces(tokens: list[str], transpose: str) -> Iterator[str]:
    place = 0
    while place < len(tokens):
        token, rest = tokens[place], tokens[place:]
        if token.isspace():
            yield " "
            place += 1
        elif rows := _matrix(rest):
            table, used = rows
            lines = r" \\ ".join(" & ".join(_sequence(entry, transpose) for entry in row) for row in table)
            yield rf"\begin{{bmatrix}} {lines} \end{{bmatrix}}"
            place += used
        elif token[0].isalnum():
            written, used = _atom(rest, transpose)
            yield written
            place += used
        elif token in (")", "]", "|"):
            scripts, used = _scripts(rest[1:], transpose, brackets=False)
            yield f"{token}{scripts}"
            place += 1 + used
        else:
            yield _OPERATORS.get(token, token)
            place += 1


def _atom(tokens: list[str], transpose: str) -> tuple[str, int]:
    """(a name or number with its indices and exponents, the tokens that it takes)"""
    name = tokens[0]
    if name in ("sqrt", "binomial") and tokens[1:2] == ["("]:
        inside = _bracketed(tokens[1:])
        if inside and name == "sqrt":
            return rf"\sqrt{{{_sequence(inside, transpose)}}}", len(inside) + 3
        split = _split(inside, ",") if inside else []
        if len(split) == 2:
            upper, lower = (_sequence(part, transpose) for part in split)
            return rf"\binom{{{upper}}}{{{lower}}}", len(inside or []) + 3
    if name == "sqrt" and tokens[1:2] == [" "] and tokens[2:3] and tokens[2].isalnum():
        radicand, used = _atom(tokens[2:], transpose)
        return rf"\sqrt{{{radicand}}}", used + 2
    used, written = 1, _named(name)
    if (square := "".join(tokens[:2])) in SQUARES and len(tokens[0]) < len(square):
        scripts, used = _scripts(tokens[2:], transpose)
        squared = rf"{_named(SQUARES[square])}^{{2}}"
        return (rf"({squared}){scripts}" if "^" in scripts else rf"{{{squared}}}{scripts}"), used + 2
    if (len(name) == 1 or name in _KNOWN) and name.isalpha() and tokens[1:2] and tokens[1].isdigit():
        written, used = f"{_named(name)}_{{{tokens[1]}}}", 2
        scripts, more = _scripts(tokens[2:], transpose)
        return (f"{{{written}}}{scripts}" if scripts else written), used + more
    scripts, more = _scripts(tokens[1:], transpose)
    written = f"{written}{scripts}"
    if name in _FUNCTIONS | _CALLED and len(name) > 1 and tokens[used + more : used + more + 1] != ["("]:
        written += r"\,"
    return written, used + more


def _named(name: str) -> str:
    if name.isdigit() or re.fullmatch(r"\d+\.\d+", name) or len(name) == 1:
        return name
    if name in _LARGE:
        return _LARGE[name]
    if name in GREEK:
        return _RENAMED.get(name, f"\\{name}")
    if name in _KNOWN:
        return f"\\{name}"
    if name in _FUNCTIONS | _CALLED:
        return rf"\operatorname{{{name}}}"
    return name if re.fullmatch(r"d[A-Z]", name) else rf"\mathrm{{{name}}}"


def _scripts(tokens: list[str], transpose: str, brackets: bool = True) -> tuple[str, int]:
    """(indices and exponents that follow a base, the tokens that they take)"""
    below: list[str] = []
    above: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token in ("_", "^") and place + 1 < len(tokens):
            script, used = _script(tokens[place + 1 :], transpose, raised=token == "^")
            if not used:
                break
            (below if token == "_" else above).append(script)
            place += 1 + used
        elif token == "[" and brackets and (inside := _bracketed(tokens[place:])) is not None:
            below.append(_sequence(inside, transpose))
            place += len(inside) + 2
        elif token == "'":
            above.append(r"\top" if "top" in transpose else r"\prime")
            place += 1
        elif (
            token == "*" and (place + 1 == len(tokens) or not tokens[place + 1].isalnum()) and not above and place == 0
        ):
            above.append("*")
            place += 1
        else:
            break
    written = f"_{{{','.join(below)}}}" if below else ""
    return written + (f"^{{{' '.join(above)}}}" if above else ""), place


def _script(tokens: list[str], transpose: str, raised: bool) -> tuple[str, int]:
    """(what stands after _ or ^, the tokens that it takes)"""
    if tokens[0] in ("(", "{") and (inside := _bracketed(tokens)) is not None:
        return _sequence(inside, transpose), len(inside) + 2
    sign, rest = ("-", tokens[1:]) if tokens[0] == "-" else ("", tokens)
    if rest and rest[0][0].isalnum():
        used, name = 1, rest[0]
        if name == "T" and raised and not sign:
            return r"\top", 1
        if len(rest) > 1 and name.isalpha() and rest[1].isdigit():
            return f"{sign}{_word_in_script(name)}{rest[1]}", 2 + len(sign)
        if name.isdigit() and len(rest) > 1 and rest[1].isalpha() and len(rest[1]) == 1:
            return f"{sign}{name}{rest[1]}", 2 + len(sign)
        return f"{sign}{_word_in_script(name)}", used + len(sign)
    if tokens[0] in ("+", "*"):
        return tokens[0], 1
    return "", 0


def _word_in_script(name: str) -> str:
    if name in GREEK or name.isdigit():
        return _named(name)
    if len(name) <= 2:
        return name
    return rf"\mathrm{{{name}}}"


def _bracketed(tokens: Sequence[str]) -> list[str] | None:
    """The tokens inside the bracket that opens here; None if it does not close."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token in "([{") - (token in ")]}")
        if depth == 0:
            return list(tokens[1:place])
    return None


def _split(tokens: Sequence[str], sign: str) -> list[list[str]]:
    """The tokens between the signs that stand in no bracket."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in "([{") - (token in ")]}")
        if token == sign and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _matrix(tokens: list[str]) -> tuple[list[list[list[str]]], int] | None:
    """(the rows of a matrix [[a, b], [c, d]] that opens here, the tokens that it takes)"""
    if tokens[:2] != ["[", "["]:
        return None
    inside = _bracketed(tokens)
    if inside is None:
        return None
    rows = []
    for row in _split(inside, ","):
        kept = [token for token in row if not token.isspace()]
        if kept[:1] != ["["] or kept[-1] != "]":
            return None
        rows.append(_split(row[row.index("[") + 1 : len(row) - row[::-1].index("]") - 1], ","))
    return (rows, len(inside) + 2) if len({len(row) for row in rows}) == 1 else None
