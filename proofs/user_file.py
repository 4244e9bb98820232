"""What a user's own file defines: ``FILE.py:NAME`` on the command line, a construction or any other object by its name.

The file is run like a script that is imported: modules beside it can be imported by it, and what it says about itself
in ``__name__`` is not ``"__main__"``.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from constructions.construction import Construction
from constructions.parameters import Parameter, Unspecified
from proofs.arguments import BadInput, unknown


def add_file_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds the argument ``FILE.py:NAME`` as ``where``, and the option ``--traceback``."""
    parser.add_argument("where", metavar="FILE.py:NAME", help=f"{what}; the name may be left out if there is only one")
    parser.add_argument("--traceback", action="store_true", help="where the input is at fault, show Python's traceback")


def construction_in(where: str) -> Construction:
    """The construction that ``FILE.py:NAME`` names.

    The name is that of an instance, or of a class. A class stands for its parameters left free, whatever they are;
    those that have a default are what that says, such as a start that is None, zero.

    Args:
        where: the file, a colon and the name; the name may be left out if the file defines only one construction.

    Raises:
        BadInput: if there is no such file or name, the file cannot be imported, or the name is no construction's.
    """
    file, name = parted(where)
    module = module_at(file)
    if name:
        return as_construction(_named(module, file, name), f"{file}:{name}")
    own = [name for name, held in _own(module) if _is_construction(held)]
    if len(own) != 1:
        found = f"it defines {', '.join(own)}" if own else "it defines none"
        raise BadInput(f"{file}: which construction is meant? {found}; pass {file}:NAME")
    return as_construction(getattr(module, own[0]), f"{file}:{own[0]}")


def object_in(where: str) -> Any:
    """What ``FILE.py:NAME`` names, whatever it is: a construction, a class of one, or any callable.

    Raises:
        BadInput: if there is no such file or name, or the file cannot be imported.
    """
    file, name = parted(where)
    if not name:
        raise BadInput(f"{where}: a name is required; pass {file}:NAME")
    return _named(module_at(file), file, name)


def as_construction(held: Any, called: str) -> Construction:
    """The construction that an object of a user is: itself, or that of a class with its parameters left free.

    Args:
        held: an instance, or a class, of ``Construction``.
        called: how the user calls it, for messages.

    Raises:
        BadInput: if it is neither, or the class cannot be instantiated.
    """
    if isinstance(held, Construction):
        return held
    if not (isinstance(held, type) and issubclass(held, Construction)):
        raise BadInput(f"{called} is a {type(held).__name__}, not a Construction; name an instance or a class of one")
    if inspect.isabstract(held):
        missing = ", ".join(sorted(held.__abstractmethods__))
        raise BadInput(f"{called} does not say everything that makes a construction: it lacks {missing}")
    try:
        return held(**dict(_left_free(held)))
    except TypeError as error:
        raise BadInput(
            f"{called} cannot be built without arguments: {error}; name an instance, or declare its parameters with "
            "scalar(...) and matrix(...)"
        ) from error


def module_at(file: Path) -> ModuleType:
    """The module that a file is, imported now.

    Raises:
        BadInput: if there is no such file, or it raises while it is imported.
    """
    if not file.is_file():
        near = unknown("file", file.name, list(_alike(file)), otherwise="check the path")
        raise BadInput(f"{file} cannot be opened: {near}")
    name = f"user_file_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BadInput(f"{file} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a neighbour may not hide a library
    sys.modules[name] = module  # dataclasses look their annotations up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BadInput(f"{file} cannot be imported: {_line(error, file)}{type(error).__name__}: {error}") from error
    return module


def parted(where: str) -> tuple[Path, str]:
    """(file, name): parted at the last colon, unless all of it is a file."""
    file, colon, name = where.rpartition(":")
    return (Path(where), "") if not colon or Path(where).is_file() else (Path(file), name)


def _named(module: ModuleType, file: Path, name: str) -> Any:
    if not hasattr(module, name):
        own = [each for each, _ in _own(module)]
        otherwise = f"it defines {', '.join(own)}" if own else "it defines nothing"
        raise BadInput(f"{file}: {unknown('name', name, own, otherwise=otherwise)}")
    return getattr(module, name)


def _own(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What the file defines itself; of what it has imported only instances count as its own."""
    for name, held in vars(module).items():
        defined = getattr(held, "__module__", module.__name__) == module.__name__
        instance = not isinstance(held, (type, ModuleType)) and not inspect.isroutine(held)
        if not name.startswith("_") and (defined or instance) and not isinstance(held, ModuleType):
            yield name, held


def _is_construction(held: Any) -> bool:
    is_class = isinstance(held, type) and issubclass(held, Construction) and not inspect.isabstract(held)
    return is_class or isinstance(held, Construction)


def _left_free(cls: type[Construction]) -> Iterator[tuple[str, Unspecified]]:
    """The declared parameters without a default, each known by its name alone."""
    if not is_dataclass(cls):
        return
    for each in fields(cls):
        p: Parameter | None = each.metadata.get("parameter")
        if p is not None and each.default is MISSING and each.default_factory is MISSING and each.init:
            yield each.name, Unspecified(p.symbol, p.rows, p.columns, None, p.has_inverse, p.counts_layers)


def _line(error: BaseException, file: Path) -> str:
    """Where in the file an error arose: the last of its lines that the traceback names."""
    if isinstance(error, SyntaxError):
        return ""  # it names its line itself
    own = frames_in(error, file)
    return f"line {own[-1].lineno}, " if own else ""


def fault_of(error: Exception, where: str) -> str:
    """The error that was raised while the construction at ``FILE.py:NAME`` was run, with the line of the file."""
    at = own[-1] if (own := frames_in(error, parted(where)[0])) else None
    said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return f"{f'line {at.lineno}, in {at.name}: ' if at else ''}{said}; --traceback shows where"


def frames_in(error: BaseException, file: Path) -> list[traceback.FrameSummary]:
    """The frames of an error, and of the errors that caused it, that are in a file, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == file.resolve()]
    return own + (frames_in(error.__cause__, file) if error.__cause__ else [])


def _alike(file: Path) -> Iterator[str]:
    """The Python files beside it whose names, without the ending that all share, are alike."""
    if file.parent.is_dir():
        stems = sorted(each.stem for each in file.parent.iterdir() if each.suffix == ".py")
        yield from (f"{stem}.py" for stem in get_close_matches(file.stem, stems, n=3, cutoff=0.6))
