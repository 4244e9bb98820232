"""The command line ``icl``: list, show and verify the theorems, and run constructions on data.

Exit codes: 0 verified, 1 refuted or not verified, 2 bad usage or input, which is one sentence on the standard error.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from numerics.device import NoDevice, device_name
from proofs import data_run, families, presentation, reports
from proofs.arguments import NEWTON_OPTIONS, BadInput, parser
from proofs.catalogue import catalogue
from proofs.evidence import Settings
from proofs.newton_data_run import newton_run
from proofs.processes import default_jobs


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command, run now.

    Args:
        argv: the arguments, without the program's name; by default those of the process.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The proofs have signs that an ASCII output does not; it shows question marks, and no traceback.
        sys.stdout.reconfigure(errors="replace")
    try:
        version = reports.version("icl-theory") or "(not installed)"
        arguments = parser(f"icl-theory {version}").parse_args(argv)
        commands = {"list": _list, "show": _show, "verify": _verify, "run": _run}
        code = commands[arguments.command](arguments)
        sys.stdout.flush()
        return code
    except (BadInput, NoDevice) as error:
        print(f"icl: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has gone, as in "icl list | head"; nothing more may be written when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("icl: interrupted", file=sys.stderr)
        return 130


def _list(_: argparse.Namespace) -> int:
    for line in reports.listed(catalogue().values()):
        print(line)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    theorems = catalogue()
    constructions = presentation.constructions_by_name(theorems.values())
    compared = families.families(theorems.values())
    name = arguments.name if arguments.name in theorems else arguments.name.replace("-", "_")
    if name in theorems and arguments.latex:
        try:
            print(presentation.theorem_in_latex(theorems[name]))
        except ValueError as error:
            raise BadInput(str(error)) from error
    elif name in theorems:
        print("\n".join(presentation.theorem_lines(theorems[name])))
    elif name in compared and arguments.latex:
        raise BadInput(f"the comparison of the family {name} has no LaTeX form; leave --latex out")
    elif name in compared:
        print("\n".join(families.family_lines(name, compared[name])))
    elif name in constructions and arguments.latex:
        print(presentation.construction_in_latex(constructions[name]))
    elif name in constructions:
        print("\n".join(presentation.construction_lines(constructions[name], theorems.values())))
    else:
        raise BadInput(_unknown("theorem or construction", arguments.name, [*theorems, *compared, *constructions]))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    theorems = catalogue()
    for name in arguments.names:
        if name not in theorems:
            raise BadInput(_unknown("theorem", name, list(theorems)))
    chosen = [theorem for name, theorem in theorems.items() if not arguments.names or name in arguments.names]
    if arguments.seed < 0:
        raise BadInput(f"seed = {arguments.seed}: it must be at least 0")
    try:
        settings = Settings(arguments.seed, arguments.instances, arguments.device)
    except ValueError as error:
        raise BadInput(str(error)) from error
    device = f"cuda: {device_name()}" if settings.device == "cuda" else settings.device
    if arguments.json is not None:
        _require_writable(arguments.json)
    start = time.perf_counter()
    jobs = arguments.jobs if arguments.jobs is not None else default_jobs(len(chosen))
    if jobs < 1:
        raise BadInput(f"jobs = {jobs}: at least one process is required")
    if settings.device == "cuda":
        jobs = 1
    verifications = list(reports.verifications(chosen, settings, jobs))
    for line in reports.not_run_lines(verifications):
        print(line)
    print(reports.summary(verifications, settings, device, time.perf_counter() - start))
    if arguments.json is not None:
        try:
            arguments.json.write_text(reports.report_as_json(verifications, settings), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {arguments.json}: {error.strerror}") from error
    return 0 if all(verification.verified for verification in verifications) else 1


def _run(arguments: argparse.Namespace) -> int:
    given = {name: value for name in NEWTON_OPTIONS if (value := getattr(arguments, name)) is not None}
    lines = _newton_lines(arguments, given) if arguments.construction == "newton" else _layer_lines(arguments, given)
    for line in lines:
        for part in reports.folded(line, 0):
            print(part)
    return 0


def _newton_lines(arguments: argparse.Namespace, given: Mapping[str, Any]) -> list[str]:
    """The report on a run of the Newton transformer."""
    with reports.progress_bar() as bar:
        task = bar.add_task("", total=arguments.layers)

        def watch(bits: int, steps: int) -> None:
            bar.update(task, description=f"newton in balls of {bits} bits, step", completed=steps)

        try:
            run = newton_run(
                arguments.data,
                arguments.target,
                layers=arguments.layers,
                queries=arguments.queries,
                intercept=arguments.intercept,
                step_size=arguments.step_size,
                watch=watch,
                **given,
            )
        except (OSError, ValueError) as error:
            raise BadInput(str(error)) from error
    return str(run).splitlines()


def _layer_lines(arguments: argparse.Namespace, given: Mapping[str, Any]) -> list[str]:
    """The report on a run of a construction whose iterates are exact."""
    try:
        run = _prepared(arguments)
        if given:
            option = next(iter(given))
            raise BadInput(f"--{option} is an option of newton only; leave it out for {arguments.construction}")
        with reports.progress_bar() as bar:
            task = bar.add_task(arguments.construction, total=run.steps)
            tables = data_run.predictions(run, lambda: bar.advance(task))
    except OverflowError as error:
        raise BadInput(f"{arguments.data}: this run leaves the range of float64; rescale the columns") from error
    return list(data_run.report(run, tables))


def _prepared(arguments: argparse.Namespace) -> data_run.DataRun:
    try:
        return data_run.prepared(
            arguments.construction,
            arguments.data,
            arguments.target,
            layers=arguments.layers,
            queries=1 if arguments.queries is None else arguments.queries,
            intercept=arguments.intercept,
            step_size=arguments.step_size,
        )
    except (OSError, ValueError) as error:
        raise BadInput(str(error)) from error


def _require_writable(path: Path) -> None:
    """Nothing, if the file can be written; found out before the work, not after it."""
    existed = path.exists()
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from error
    if not existed:
        path.unlink()


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.4) or _with_a_word_like(name, known)
    return f"there is no {what} {name!r}; " + (f"did you mean {' or '.join(near)}?" if near else "see icl list")


def _with_a_word_like(name: str, known: Sequence[str]) -> list[str]:
    """The first three names with a word close to the name, such as ``newton`` for ``neuton``."""
    words = {word for each in known for word in each.split("_")}
    near = get_close_matches(name.lower(), words, n=1, cutoff=0.7)
    return [each for each in known if set(near) & set(each.split("_"))][:3]


if __name__ == "__main__":
    raise SystemExit(main())
