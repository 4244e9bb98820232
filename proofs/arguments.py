"""What the commands share: the parser that raises, the error that ends a command, and checks of names and files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, TypeAlias


class BadInput(Exception):
    """The user's usage or input is at fault; the message is one sentence."""


class Parser(argparse.ArgumentParser):
    """A parser that raises what it finds wrong instead of printing the usage and ending the process."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where each command adds its parser, with ``run``: what it does with its arguments, the exit code."""


def require_writable(path: Path) -> None:
    """Nothing, if the file can be written; found out before the work, not after it."""
    existed = path.exists()
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from error
    if not existed:
        path.unlink()


def unknown(what: str, name: str, known: Sequence[str], otherwise: str = "see icl list") -> str:
    """The sentence that there is no such name, with those nearest to it, or otherwise what to do."""
    near = get_close_matches(name, known, n=3, cutoff=0.4) or _with_a_word_like(name, known)
    return f"there is no {what} {name!r}; " + (f"did you mean {' or '.join(near)}?" if near else otherwise)


def _with_a_word_like(name: str, known: Sequence[str]) -> list[str]:
    """The first three names with a word close to the name, such as ``newton`` for ``neuton``."""
    words = {word for each in known for word in each.split("_")}
    near = get_close_matches(name.lower(), words, n=1, cutoff=0.7)
    return [each for each in known if set(near) & set(each.split("_"))][:3]
