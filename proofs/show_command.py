"""The commands ``icl list`` and ``icl show``: the theorems, the constructions, and families of networks."""

from __future__ import annotations

import argparse

from proofs import families, latex_document, presentation, reports
from proofs.arguments import BadInput, Commands, unknown
from proofs.catalogue import catalogue


def add_parser(commands: Commands) -> None:
    """Adds both commands."""
    listing = commands.add_parser("list", help="list every theorem", description="List every theorem.")
    listing.set_defaults(run=_list)

    about = (
        "Print a theorem with its weights, its invariant and its proof, or a construction; or compare the networks "
        "that run one algorithm."
    )
    show = commands.add_parser("show", help="print a theorem or a construction", description=about)
    show.add_argument(
        "name", metavar="NAME", help="a theorem, a construction such as gradient_descent, or a family: newton"
    )
    show.add_argument("--latex", action="store_true", help="as LaTeX")
    show.set_defaults(run=_show)


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
        print(latex_document.theorem_in_latex(theorems[name]))
    elif name in theorems:
        print("\n".join(presentation.theorem_lines(theorems[name])))
    elif name in compared and arguments.latex:
        raise BadInput(f"the comparison of the family {name} has no LaTeX form; leave --latex out")
    elif name in compared:
        print("\n".join(families.family_lines(name, compared[name])))
    elif name in constructions and arguments.latex:
        print(latex_document.construction_in_latex(constructions[name]))
    elif name in constructions:
        print("\n".join(presentation.construction_lines(constructions[name], theorems.values())))
    else:
        raise BadInput(unknown("theorem or construction", arguments.name, [*theorems, *compared, *constructions]))
    return 0
