"""The command ``icl export``: a construction as weights, or a theorem or a construction as LaTeX, in a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from constructions.construction import Construction
from constructions.parameters import Repeated, generic, parameters
from numerics.dense_export import dense_network
from numerics.dense_network import DenseNetwork
from numerics.network_files import save_npz, save_safetensors
from numerics.torch_module import save_torch
from proofs import presentation, reports
from proofs.arguments import BadInput, Commands, require_writable, unknown
from proofs.catalogue import catalogue
from proofs.given_values import with_values
from proofs.latex_document import construction_in_latex, document, proof_in_latex, theorem_in_latex
from proofs.user_file import construction_in, fault_of, frames_in, parted

WRITERS = {"npz": save_npz, "safetensors": save_safetensors, "torch": save_torch}
"""How each format of weights is written."""

SUFFIXES = {"npz": (".npz",), "safetensors": (".safetensors",), "torch": (".pt", ".pth"), "latex": (".tex", ".ltx")}
"""How the name of a file of each format ends, the first by default; readers go by it."""


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = (
        "Write the dense weights of a construction (W_Q, W_K, W_V and P of every head, masks, MLPs, embedding and "
        "read-out) to a file, or its statement, block matrices and proof as LaTeX that needs amsmath alone."
    )
    export = commands.add_parser("export", help="write weights, a PyTorch module or LaTeX", description=about)
    export.add_argument("name", metavar="NAME", help="a theorem, a construction such as newton, or FILE.py:NAME")
    export.add_argument("--format", required=True, choices=(*WRITERS, "latex"), help="what to write")
    export.add_argument("--output", required=True, type=Path, metavar="FILE", help="where to; it is overwritten")
    export.add_argument("--document", action="store_true", help="latex: a whole document, not a snippet for a paper")
    weights = export.add_argument_group("of weights")
    weights.add_argument("--n", type=int, metavar="N", help="the number of context tokens")
    weights.add_argument("--d", type=int, metavar="D", help="the number of features")
    weights.add_argument("--m", type=int, metavar="M", help="the number of targets (default: 1)")
    weights.add_argument("--layers", type=int, metavar="K", help="the number of layers that is left free (default: 1)")
    weights.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="such as eta=1/3, eta=1/2,1/3 for two layers, W_0=[[1,0]]; a number for a square matrix is that multiple "
        "of the identity",
    )
    weights.add_argument(
        "--size", action="append", default=[], metavar="NAME=SIZE", help="a further size that a construction names"
    )
    export.add_argument("--traceback", action="store_true", help="where the input is at fault, show Python's traceback")
    export.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    _require_file_of_its_own(arguments.output, arguments.format, arguments.name)
    require_writable(arguments.output)
    try:
        written = _latex(arguments) if arguments.format == "latex" else _weights(arguments)
    except BadInput:
        raise
    except Exception as error:
        where, known = arguments.name, isinstance(error, (ImportError, TypeError, ValueError, OSError))
        if _is_in_file(where) and (not known or frames_in(error, parted(where)[0])):
            raise BadInput(f"{where} cannot be exported: {fault_of(error, where)}") from error
        if arguments.format == "latex" or not known:
            raise
        raise BadInput(str(error)) from error
    for line in reports.folded(f"wrote {arguments.output}: {written}", 0):
        print(line)
    return 0


def _require_file_of_its_own(output: Path, format: str, name: str) -> None:
    """That the file to be written is not the one that is read, and that its name says its format."""
    source = parted(name)[0]
    if source.is_file() and output.exists() and output.samefile(source):
        raise BadInput(f"--output {output} is the file that is exported: it would be lost; name another")
    if output.suffix.lower() not in SUFFIXES[format]:
        endings = " or ".join(SUFFIXES[format])
        raise BadInput(f"--output {output}: the name of a file of --format {format} must end in {endings}")


def _latex(arguments: argparse.Namespace) -> str:
    if odd := [option for option in ("n", "d", "m", "layers") if getattr(arguments, option) is not None]:
        raise BadInput(f"--{odd[0]} is an option of weights: LaTeX leaves all sizes and parameters free; leave it out")
    theorems = catalogue()
    if arguments.name in theorems:
        snippet = theorem_in_latex(theorems[arguments.name])
        has_weights = r"\textbf{Tokens}" in snippet  # an argued theorem may be about a network and not write it out
        what = "statement, weights and proof" if has_weights else "statement and proof"
    else:
        construction = _construction(arguments.name)
        snippet, what = construction_in_latex(construction), "weights and invariant"
        if _is_in_file(arguments.name):
            snippet, what = f"{snippet}\n\n{proof_in_latex(construction)}", "weights, invariant and proof"
    text = document([snippet]) if arguments.document else snippet + "\n"
    arguments.output.write_text(text, encoding="utf-8")
    return f"{what}, LaTeX that needs amsmath" + (" in a document of its own" if arguments.document else "")


def _weights(arguments: argparse.Namespace) -> str:
    if arguments.document:
        raise BadInput("--document is an option of --format latex; leave it out")
    for size in ("n", "d"):
        if getattr(arguments, size) is None:
            raise BadInput(f"--{size} is required: weights have a fixed size")
    for size in ("n", "d", "m"):
        if (given := getattr(arguments, size)) is not None and given < 1:
            raise BadInput(f"--{size} {given}: it must be at least 1")
    construction = _construction(arguments.name)
    targets = construction.targets if isinstance(construction.targets, int) else 1
    m = targets if arguments.m is None else arguments.m
    sizes = {"n": arguments.n, "d": arguments.d, "m": m, **_further(arguments.size)}
    construction = with_values(construction, dict(_pairs(arguments.parameter, "parameter")), sizes, arguments.layers)
    network = dense_network(construction, **sizes)
    WRITERS[arguments.format](about(network, construction), arguments.output)
    size = ", ".join(f"{name} = {value}" for name, value in sizes.items())
    return (
        f"{len(network.weights)} matrices of {type(construction).__name__}, {size}; layers: {len(network.run)}, "
        f"weight sets: {len(network.layers)}, tokens: {network.tokens}, width of a token: {network.width}"
    )


def about(network: DenseNetwork, construction: Construction) -> DenseNetwork:
    """The network with a record of what it was exported from: parameters as exact strings, versions."""
    values = {name: _written(getattr(construction, name)) for name in parameters(construction)}
    versions = {name: reports.version(name) for name in ("icl-theory", "numpy")}
    cls = type(construction)
    return replace(
        network, about={"construction": f"{cls.__module__}.{cls.__qualname__}", "parameters": values, **versions}
    )


def _written(value: Any) -> Any:
    """Exact numbers as strings, in lists as they came."""
    if isinstance(value, Repeated):
        return {"looped": _written(value.value), "layers": value.depth}
    if hasattr(value, "tolist"):
        return _written(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_written(part) for part in value]
    return None if value is None else str(Fraction(value) if isinstance(value, float) else value)


def _construction(name: str) -> Construction:
    """The construction that a name means; those of the catalogue with every parameter left free."""
    if _is_in_file(name):
        return construction_in(name)
    theorems = catalogue()
    constructions = presentation.constructions_by_name(theorems.values())
    if name in theorems:
        held = theorems[name].construction
        if held is None:
            raise BadInput(f"{name} is about no network, so it has no weights; --format latex writes it out")
    else:
        held = constructions.get(name.replace("-", "_"))
        if held is None:
            raise BadInput(unknown("theorem or construction", name, [*theorems, *constructions]))
    return generic(held)


def _is_in_file(name: str) -> bool:
    """Whether a name is ``FILE.py:NAME``, of a file of the user."""
    return parted(name)[0].suffix == ".py"


def _further(given: Iterable[str]) -> dict[str, int]:
    sizes = {}
    for name, value in _pairs(given, "size"):
        if not value.isdigit():
            raise BadInput(f"--size {name}={value}: an integer is required")
        sizes[name] = int(value)
    return sizes


def _pairs(given: Iterable[str], option: str) -> Iterable[tuple[str, str]]:
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise BadInput(f"--{option} {each}: NAME=VALUE is required")
        yield name.strip(), value.strip()
