"""Results: sections of measurements and the promises they are held against, written as JSON and as Markdown.

The JSON file is one object:

    date         the day, such as "2026-01-31"
    commit       the git commit, with "and uncommitted changes" if there were any
    environment  processor, cores used, system, versions of the libraries, PyTorch's build, the GPU if one was used
    sections     a list of {name, title, sizes, rows, notes}; a row is an object of columns, times in seconds
    targets      a list of {claim, measured, met}: what the project promises, and what was measured

The names of the files, such as 2026-01-31-cpu.json and 2026-01-31-cpu-growth.svg, say the day and the device, not the
machine.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from numerics.device import NoDevice, device_name

FOLDER = Path(__file__).resolve().parent / "results"

_LIBRARIES = ("icl-theory", "numpy", "scipy", "sympy", "python-flint", "array-api-compat", "torch", "cupy")


@dataclass(frozen=True)
class Target:
    """A promise: the claim in words, what was measured, and whether that keeps it."""

    claim: str
    measured: str
    met: bool

    def __str__(self) -> str:
        return f"{'PASS' if self.met else 'FAIL'}  {self.claim}: {self.measured}"


@dataclass(frozen=True)
class Section:
    """What was measured of one thing.

    Args:
        name: for programs.
        title: for readers.
        sizes: what was held fixed, by name.
        rows: one object of columns per measurement.
        notes: sentences beneath the table.
        targets: the promises that these measurements decide.
        plotted: draws the section into a file.
    """

    name: str
    title: str
    sizes: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    targets: Sequence[Target] = field(default=())
    plotted: Callable[[Section, Path], None] | None = None

    def markdown(self, figure: str | None = None) -> str:
        """The section as Markdown: the sizes, the table, the figure in the named file, the notes and the targets."""
        sizes = ", ".join(f"{name} = {value}" for name, value in self.sizes.items())
        parts = [
            f"## {self.title}",
            sizes,
            _table(self.rows) if self.rows else "",
            f"![{self.title}]({figure})" if figure else "",
            *self.notes,
            *(f"**{target}**" for target in self.targets),
        ]
        return "\n\n".join(part for part in parts if part)


def cores() -> int:
    """How many cores are used: as many as the thread pool of ``numerics.floats`` takes."""
    return os.cpu_count() or 1


def environment() -> dict[str, Any]:
    """What the measurements depend on, apart from the sizes."""
    record: dict[str, Any] = {
        "processor": _processor(),
        "cores used": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version for name in _LIBRARIES if (version := _version(name)) is not None},
        "numpy's BLAS": _numpy_blas(),
    }
    if "torch" in record:
        import torch

        lines = [line.strip(" -") for line in torch.__config__.show().splitlines()]
        record["torch"] = torch.__version__
        record["torch's build"] = "; ".join(
            line
            for line in lines
            if line.startswith(("PyTorch built", "GCC", "Intel", "CPU capability", "CUDA Runtime"))
        )
    try:
        record["gpu"] = device_name()
    except NoDevice:
        record["gpu"] = None
    return record


def commit() -> str:
    """The git commit of the checkout, and whether files that git tracks differ from it."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "unknown: this is no git checkout"
    return f"{head} and uncommitted changes" if _git("status", "--porcelain", "--untracked-files=no") else head


def written(sections: Sequence[Section], folder: Path = FOLDER, day: datetime.date | None = None) -> tuple[Path, ...]:
    """The JSON and the Markdown file and the figures, written now; those of the same day and device are replaced."""
    day, about = day or datetime.date.today(), environment()
    name = f"{day.isoformat()}-{'cpu' if about['gpu'] is None else 'cuda'}"
    targets = [target for section in sections for target in section.targets]
    record = {
        "date": day.isoformat(),
        "commit": commit(),
        "environment": about,
        "sections": [
            {key: getattr(section, key) for key in ("name", "title", "sizes", "rows", "notes")} for section in sections
        ],
        "targets": [asdict(target) for target in targets],
    }
    folder.mkdir(parents=True, exist_ok=True)
    as_json, as_markdown = folder / f"{name}.json", folder / f"{name}.md"
    figures = {section.name: folder / f"{name}-{section.name}.svg" for section in sections if section.plotted}
    as_json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    head = [{"": key, "value": value} for key, value in {"commit": record["commit"], **about}.items() if value]
    parts = [
        f"# Benchmarks of {day.isoformat()}",
        _table(head),
        "Times are medians, in seconds, beside the smallest and the largest.",
        *(section.markdown(figures[section.name].name if section.name in figures else None) for section in sections),
    ]
    as_markdown.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    for section in sections:
        if section.plotted is not None:
            section.plotted(section, figures[section.name])
    return as_json, as_markdown, *figures.values()


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _numpy_blas() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas.get('name')} {blas.get('version')}"


def _git(*arguments: str) -> str | None:
    try:
        run = subprocess.run(("git", *arguments), cwd=FOLDER.parent, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None
