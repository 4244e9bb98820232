"""Imports point down, tests -> proofs -> numerics -> constructions -> standard library; folders are flat.

One upward glance is allowed: `kind_of` in constructions/block.py imports the module of a kind by the library
of its entry.
"""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("constructions", "numerics", "proofs", "pytest_icl")
ABOVE = {
    "constructions": {"numerics", "proofs", "pytest_icl", "tests", "benchmarks"},
    "numerics": {"proofs", "pytest_icl", "tests", "benchmarks"},
    "proofs": {"pytest_icl", "tests", "benchmarks"},
    "pytest_icl": {"tests", "benchmarks"},
}
UPWARD_GLANCES = {("constructions/block.py", "kind_of")}
OPTIONAL = {"cupy", "cupyx", "dask", "matplotlib", "safetensors", "torch"}
NAMELESS = {"utils", "helpers", "common", "base", "misc"}
MOST_LINES = 400


@dataclass(frozen=True)
class Import:
    """One import: the full name of the module, the outermost function it stands in, and the place.

    A name that is computed is None; `function` is None where the import runs with its module; `is_for_types`
    where it stands under `if TYPE_CHECKING` and so never runs.
    """

    module: str | None
    function: str | None
    is_for_types: bool
    path: str
    line: int

    @property
    def library(self):
        """The top-level package, or the optional library that array-api-compat wraps; None if computed."""
        if self.module is None:
            return None
        parts = self.module.split(".")
        return parts[1] if parts[0] == "array_api_compat" and len(parts) > 1 else parts[0]


class ImportCollector(ast.NodeVisitor):
    """Collects every import of a module: statements, and calls of import_module and __import__."""

    def __init__(self, path):
        self.path = path
        self.imports = []
        self.function = None
        self.is_for_types = False

    def record(self, module, node):
        self.imports.append(Import(module, self.function, self.is_for_types, self.path, node.lineno))

    def visit_Import(self, node):
        for alias in node.names:
            self.record(alias.name, node)

    def visit_ImportFrom(self, node):
        for alias in node.names:
            self.record("." * node.level + ".".join(filter(None, [node.module, alias.name])), node)

    def visit_Call(self, node):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if called in {"import_module", "__import__"}:
            name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            self.record(name, node)
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        outer = self.function
        self.function = outer or node.name
        self.generic_visit(node)
        self.function = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node):
        if ast.unparse(node.test) not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            self.generic_visit(node)
            return
        outer, self.is_for_types = self.is_for_types, True
        for statement in node.body:
            self.visit(statement)
        self.is_for_types = outer
        for statement in node.orelse:
            self.visit(statement)


def imports_in(source, path):
    """Every import in the source text of a module."""
    collector = ImportCollector(path)
    collector.visit(ast.parse(source, filename=path))
    return collector.imports


def modules_of(package):
    """The Python files of a package, in its subfolders too."""
    return sorted((CHECKOUT / package).rglob("*.py"))


def imports_of(package):
    """Every import in a package, the allowed upward glances left out."""
    imports = []
    for path in modules_of(package):
        name = path.relative_to(CHECKOUT).as_posix()
        imports += imports_in(path.read_text(encoding="utf-8"), name)
    return [each for each in imports if (each.path, each.function) not in UPWARD_GLANCES]


def upward(imports, package):
    """The imports of packages that stand above this one."""
    return [each for each in imports if each.library in ABOVE[package]]


def eager(imports):
    """The imports of optional libraries that run as soon as their module is imported."""
    return [each for each in imports if each.library in OPTIONAL and each.function is None and not each.is_for_types]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package):
    assert modules_of(package)
    assert upward(imports_of(package), package) == []


def test_constructions_import_only_the_standard_library_and_themselves():
    allowed = sys.stdlib_module_names | {"constructions"}
    assert [each for each in imports_of("constructions") if each.library not in allowed] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_are_absolute(package):
    assert [each for each in imports_of(package) if (each.module or "").startswith(".")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_optional_libraries_are_imported_where_they_are_used(package):
    assert eager(imports_of(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_are_flat(package):
    assert {path.parent for path in modules_of(package)} == {CHECKOUT / package}


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_modules_are_named_by_a_notion(package):
    assert {path.stem for path in modules_of(package)} & NAMELESS == set()


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "benchmarks"])
def test_modules_are_short(package):
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in modules_of(package)}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import numerics",
        "import numerics.floats as floats",
        "from numerics.floats import FloatBlock",
        "def lazily():\n    import numerics.floats",
        "def lazily():\n    importlib.import_module('numerics.floats')",
        "def lazily():\n    __import__('numerics.floats')",
        "if TYPE_CHECKING:\n    from numerics.floats import FloatBlock",
        "try:\n    import numerics\nexcept ImportError:\n    pass",
    ],
)
def test_an_upward_import_is_found(source):
    assert len(upward(imports_in(source, "constructions/stream.py"), "constructions")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import torch",
        "import matplotlib.pyplot as plt",
        "from cupy import linalg",
        "from array_api_compat import cupy",
        "import array_api_compat.torch",
        "class Kind:\n    import cupy",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import cupy",
        "CUPY = importlib.import_module('cupy')",
    ],
)
def test_an_eager_import_of_an_optional_library_is_found(source):
    assert len(eager(imports_in(source, "numerics/floats.py"))) == 1


@pytest.mark.parametrize(
    "source", ["def on_cuda():\n    import cupy", "if TYPE_CHECKING:\n    import cupy", "import cupyish"]
)
def test_a_lazy_import_of_an_optional_library_is_allowed(source):
    assert eager(imports_in(source, "numerics/floats.py")) == []
