"""The rules of docs/architecture.md that a machine can check: who may import whom, and who may call what."""

from __future__ import annotations

import ast
from pathlib import Path

from mpi4py import MPI

from hpcglass.core.cache import COMPILED

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hpcglass"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

# each may import those before it
LAYERS = ["errors", "words", "disk", "settings", "launcher", "petsc", "plugins", "sealed", "numbers", "potentials",
          "geometries", "core", "epm", "landscape", "moves", "cavity", "saddles", "indicators", "stages", "registry",
          "config", "analysis", "io", "rundir", "start", "context", "sample", "ensemble", "solvers", "run", "sweep",
          "library", "results", "commands", "__main__"]
# and these, besides, not some of those before them
NEVER = {"stages": {"io", "rundir"}, "analysis": {"core", "landscape", "moves"},
         **{files: {"landscape", "moves", "stages", "analysis"} for files in ("io", "rundir")}}
MPI_CALLS = ("core/comm.py", "core/halo.py", "io/", "rundir/", "ensemble.py", "__main__.py")
SOLVERS = ("commands/info.py", "petsc.py", "landscape/matrix/hessian.py", "landscape/matrix/solve.py",
           "landscape/matrix/shift_invert.py", "landscape/bonds.py")
ROOMS = 18      # files in a folder, at most
COMMUNICATORS = {"comm", "group", "leaders", "farewell", "world"}
PICKLED = {name for name in dir(MPI.Intracomm) if name[0].islower() and callable(getattr(MPI.Intracomm, name))}
COLLECTIVE = {name for name in dir(MPI.Intracomm) if name[0].isupper() and callable(getattr(MPI.Intracomm, name))}


def imports(tree: ast.Module) -> set[str]:
    """Dotted names of all modules imported, also inside functions; not those for type checking only."""
    hidden = {id(node) for test in ast.walk(tree) if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
              for node in ast.walk(test)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and id(node) not in hidden:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and id(node) not in hidden:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def arrows(tree: ast.Module) -> set[str]:
    """Files of the package that one imports, also for type checking only: "core/comm.py"."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "hpcglass":
            for alias in node.names:
                for place in (f"{node.module}.{alias.name}", node.module):
                    path = "/".join(place.split(".")[1:])
                    file = next((file for file in (f"{path}.py", f"{path}/__init__.py") if file in TREES), None)
                    if file:
                        found.add(file)
                        break
    return found


def layer(name: str) -> str:
    """"core/comm.py" or "hpcglass.core.comm" -> "core"."""
    parts = name.removesuffix(".py").removeprefix("hpcglass.").replace("/", ".").split(".")
    return parts[0]


def test_imports_go_one_way():
    wrong = []
    for name, tree in TREES.items():
        used = {layer(module) for module in imports(tree) if module.startswith("hpcglass.")} - {"__version__"}
        if name != "__init__.py":
            before = LAYERS[: LAYERS.index(layer(name)) + 1]
            wrong += [f"{name} imports {other}" for other in used if other not in before or other in NEVER.get(layer(name), ())]
    assert wrong == []


def test_no_circles():
    """Not even of imports for type checking: whoever follows the arrows comes to an end."""
    left = {name: arrows(tree) - {name} for name, tree in TREES.items()}
    while free := {name for name, used in left.items() if not used & left.keys()}:
        left = {name: used for name, used in left.items() if name not in free}
    assert {name: sorted(used & left.keys()) for name, used in left.items()} == {}


def forbidden(name: str, node: ast.AST) -> str:
    """What is wrong with a node, or nothing."""
    if isinstance(node, ast.Attribute) and node.attr == "COMM_WORLD" and name != "__main__.py":
        return "COMM_WORLD"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in COLLECTIVE and not name.startswith(MPI_CALLS):
            return f"MPI call {ast.unparse(node)}"
        if node.func.attr in PICKLED and ast.unparse(node.func.value).rpartition(".")[2] in COMMUNICATORS:
            return f"pickling MPI call {ast.unparse(node)}"
    if isinstance(node, ast.keyword) and node.arg == "fastmath" and ast.unparse(node.value) == "True":
        return "fastmath=True folds isnan to False"
    if isinstance(node, ast.Name) and node.id in ("eval", "exec"):
        return node.id
    return ""


def test_what_only_some_files_may_do():
    wrong = [f"{name}:{getattr(node, 'lineno', '')}: {what}" for name, tree in TREES.items() for node in ast.walk(tree)
             if (what := forbidden(name, node))]
    for name, tree in TREES.items():
        modules = {module.partition(".")[0] for module in imports(tree)}
        banned = {"pickle", "dill", "marshal", "shelve"} | (set() if name in SOLVERS else {"petsc4py", "slepc4py"})
        wrong += [f"{name} imports {module}" for module in modules & banned]
    assert wrong == []


def test_nobody_opens_hdf5_but_those_who_verify():
    """Whoever reads uses `sealed.file.File`; `h5py` for what is not reading comes from `sealed.guard`, with its settings."""
    probe = "sealed/probe.py"       # a program of its own
    assert {name for name, tree in TREES.items() if "h5py" in imports(tree)} == {"sealed/guard.py", "commands/info.py", probe}
    opening = {name for name, tree in TREES.items() for node in ast.walk(tree)
               if isinstance(node, ast.Call) and ast.unparse(node.func) in ("h5py.File", "h5f.open", "h5py.h5f.open")}
    assert opening == {"sealed/file.py", "sealed/old.py", probe, "io/h5.py", "io/formats/plain.py"}      # the last two write


def test_kernels_are_where_the_cache_looks_for_changes():
    """All that compiled code can depend on is in the key of its cache: these layers, which import no others but `errors`."""
    assert {layer(name) for name, tree in TREES.items() if "numba" in imports(tree)} - {"commands", "io"} <= set(COMPILED)
    used = {layer(module) for name, tree in TREES.items() if layer(name) in COMPILED for module in imports(tree)
            if module.startswith("hpcglass.")}
    assert used <= {*COMPILED, "errors", "numbers", "petsc", "plugins"}


def test_files_are_short():
    files = [path for folder in ("hpcglass", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    assert [str(path) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_no_folder_is_a_heap():
    folders = {path.parent for path in FILES}
    assert [str(folder) for folder in folders if len(list(folder.glob("[!_]*.py"))) > ROOMS] == []
