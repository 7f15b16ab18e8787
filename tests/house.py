"""The house rules as functions: each takes a parsed module and returns its offences, one sentence each."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Function = ast.FunctionDef | ast.AsyncFunctionDef

# Imports run downwards only: a module may import from its own row and from rows below it.
LAYERS = (
    ("bench.cli", "bench.__main__", "bench.commands", "bench.completion"),
    ("bench.show",),
    ("bench.judge",),
    ("bench.lanes",),
    ("bench.measure",),
    ("bench.results",),
    ("bench.options",),
    ("bench.case",),
    ("bench.errors",),
)
# Who may import what is not of the standard library; a name covers everything below it.
IMPORTERS = {
    "numpy": ("kernels", "bench"),
    "numba": ("kernels", "bench.lanes.model"),
    "llvmlite": ("kernels",),
    "kernels": ("kernels", "bench.lanes.model"),
    "pyperf": ("bench.measure", "bench.results"),
    "matplotlib": ("bench.show.chart",),
    "scipy.special": ("bench.judge.stats", "bench.judge.estimate"),
    "scipy.stats": ("bench.judge.stats_rank",),  # takes 0.9 s to import: inside functions only
    "rich": ("bench",),
    "ruptures": ("bench.judge.history",),  # takes half a second to import: inside functions only
    "distributed": ("bench.lanes.vm.cluster.connection",),  # half a second, and threads: with --cluster only
    "argcomplete": ("bench.completion",),  # when a shell asks for completions
    "elftools": ("bench.lanes.vm.elf",),
}
# Modules that do without any library: one must stay small where it forks, one must be obvious.
WORKLOAD = "bench.lanes.live.workload"
PLAIN = (WORKLOAD, "bench.lanes.live.watchdog", "bench.lanes.vm.guest", "kernels.reference")
# What a process that only starts, lists or helps must not load.
HEAVY = (
    "numba", "llvmlite", "numpy", "scipy", "matplotlib", "pyperf", "ruptures", "argcomplete", "distributed",
)  # fmt: skip
# Decorators that make a function part of a kernel.
KERNEL_DECORATORS = {"kernel", "helper", "side_effect", "njit"}
# What a tracked file must not hold: paths of one machine, and where packages are downloaded from.
MACHINE_PATH = re.compile(r"(?<![\w.~$}*\])-])/(?:home|root|Users|work|tmp|opt|mnt|srv)/\w+")
REGISTRY = re.compile(
    r"pypi\.(?:org|python)|pythonhosted\.|anaconda\.|npmjs\.|docker\.io|quay\.io|ghcr\.io|index[-]url"
)
# A variant is one file with the whole interface, some thirty functions: no shorter limit for kernels.
FILE_LINES, KERNEL_FILE_LINES, FUNCTION_LINES = 300, 300, 60


@dataclass(frozen=True)
class Module:
    """A parsed Python file under its dotted name."""

    name: str
    source: str
    tree: ast.Module

    @classmethod
    def of(cls, name: str, source: str) -> Module:
        return cls(name, source, ast.parse(source))

    def functions(self) -> list[Function]:
        """All functions, methods and nested ones included."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    def kernels(self) -> list[Function]:
        """The functions that run compiled: all of a variant or scenario, elsewhere the decorated ones."""
        whole = below(self.name, ("kernels.rmap", "kernels.scenario"))
        return [node for node in self.functions() if whole or decorators(node) & KERNEL_DECORATORS]


def modules(*packages: str) -> list[Module]:
    """Every module of the packages, as the tree has them now."""
    found = []
    for path in sorted(path for package in packages for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found.append(Module.of(".".join(parts).removesuffix(".__init__"), path.read_text()))
    return found


def below(name: str, prefixes: tuple[str, ...]) -> bool:
    """Is `name` one of the prefixes, or in a package or family of modules that starts with one?"""
    return any(name == prefix or name.startswith((f"{prefix}.", f"{prefix}_")) for prefix in prefixes)


def decorators(node: Function) -> set[str]:
    """The bare names of a function's decorators."""
    called = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    return {item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "") for item in called}


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, also inside functions; `from a import b` is a.b."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (f"{node.module}." if node.module else "")
            yield from ((node.lineno, source + alias.name) for alias in node.names)


def wrong_direction(module: Module) -> list[str]:
    """Imports within the project that run upwards or sideways; they go one way."""
    offences = []
    for line, name in imports(module):
        if reason := _forbidden_direction(module.name, name):
            offences.append(f"{module.name}:{line} imports {name}: {reason}")
    return offences


def _forbidden_direction(here: str, there: str) -> str:
    if there.startswith(".") and not there.startswith("..") and here.startswith(f"{WORKLOAD}."):
        return ""  # it is packed and started without the rest, under another name
    if there.startswith("."):
        return "relative imports hide the direction"
    if here.startswith("bench") and below(there, ("bench",)):
        return _forbidden_in_bench(here, there)
    if here.startswith("kernels"):
        return _forbidden_in_kernels(here, there)
    return ""


def _forbidden_in_bench(here: str, there: str) -> str:
    ranks = [next((i for i, row in enumerate(LAYERS) if below(name, row)), -1) for name in (here, there)]
    if below(here, (WORKLOAD,)):
        return "the process that forks stays small: standard library only"
    if here == "bench" or -1 in ranks:
        return "no row of LAYERS in tests/house.py holds it"
    if ranks[1] < ranks[0]:
        return "imports run downwards only"
    lanes = {lane_of(name) for name in (here, there) if below(name, ("bench.lanes",))} - {""}
    return "lanes do not know each other" if len(lanes) > 1 else ""


def lane_of(name: str) -> str:
    """Model, live or vm: the first word of what follows `bench.lanes.`; empty for what lanes share."""
    word = name.removeprefix("bench.lanes").lstrip(".").split(".")[0].split("_")[0]
    return word if word in ("model", "live", "vm") else ""


def _forbidden_in_kernels(here: str, there: str) -> str:
    if below(there, ("bench", "tests")):
        return "kernels never learn that they are measured"
    parts = [
        next((p for p in ("rmap", "scenario") if below(n, (f"kernels.{p}",))), "") for n in (here, there)
    ]
    if parts[1] and parts[0] != parts[1]:
        return "rmap, scenario and what they share do not import one another upwards or sideways"
    return ""


def wrong_owner(module: Module) -> list[str]:
    """Imports of libraries by modules that IMPORTERS does not name for them."""
    return [
        f"{module.name}:{line} imports {name}: only {' '.join(_owners(name)) or 'nobody'} may"
        for line, name in imports(module)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "bench", ""}
        and not below(module.name, _owners(name))
    ] + [
        f"{module.name}:{line} imports {name}: this module does without libraries"
        for line, name in imports(module)
        if below(module.name, PLAIN) and name.split(".")[0] not in {*sys.stdlib_module_names, "kernels", ""}
    ]


def _owners(name: str) -> tuple[str, ...]:
    """The first words of the modules that may import `name`, by IMPORTERS."""
    return next((owners for library, owners in IMPORTERS.items() if f"{name}.".startswith(f"{library}.")), ())


def too_long(module: Module) -> list[str]:
    """Files over FILE_LINES (with kernels KERNEL_FILE_LINES) and functions over FUNCTION_LINES."""
    lines, limit = len(module.source.splitlines()), KERNEL_FILE_LINES if module.kernels() else FILE_LINES
    offences = [f"{module.name} has {lines} lines, more than {limit}"] if lines > limit else []
    return offences + [
        f"{module.name}:{node.lineno} {node.name} has {length(node)} lines, more than {FUNCTION_LINES}"
        for node in module.functions()
        if length(node) > FUNCTION_LINES
    ]


def length(node: Function) -> int:
    """Lines of a function from `def` to its end, without its docstring."""
    end = node.end_lineno or node.lineno
    documented = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    return end - node.lineno + 1 - ((documented.end_lineno or 0) - documented.lineno + 1 if documented else 0)


def undocumented(module: Module) -> list[str]:
    """Files whose first line does not say what they are; public functions and kernels without docstring."""
    if not module.source.strip():
        return []
    said = module.source.startswith(('"""', "#!")) and (ast.get_docstring(module.tree) or "").strip()
    offences = [] if said else [f"{module.name} does not begin with a docstring"]
    return offences + [
        f"{module.name}:{node.lineno} {node.name} has no docstring"
        for node in _documentable(module)
        if not ast.get_docstring(node)
    ]


def _documentable(module: Module) -> list[Function]:
    scopes: list[ast.Module | ast.ClassDef] = [module.tree]
    scopes += [node for node in module.tree.body if isinstance(node, ast.ClassDef)]
    named = [node for scope in scopes for node in scope.body if isinstance(node, Function)]
    if below(module.name, ("tests",)):
        return [node for node in named if node.name.startswith("test_")]
    compiled = module.kernels()
    return [node for node in named if not node.name.startswith("_") or node in compiled]


def unannotated(module: Module) -> list[str]:
    """Functions in kernels/ that are not kernels (those have a prototype) and lack an annotation."""
    compiled = module.kernels()
    return [
        f"{module.name}:{node.lineno} {node.name} is not annotated"
        for node in module.functions()
        if node not in compiled and not _annotated(node)
    ]


def _annotated(node: Function) -> bool:
    a = node.args
    given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return node.returns is not None and all(arg.annotation or arg.arg in ("self", "cls") for arg in given)


def unlike_compiled(module: Module) -> list[str]:
    """Expressions in kernels whose interpreted and compiled results may differ: signed 64-bit values only."""
    offences = []
    for function in module.kernels():
        masked = {id(side) for node in ast.walk(function) for side in _under_mask(node)}
        for node in ast.walk(function):
            reason = "~ outside a mask" if _is_invert(node) and id(node) not in masked else _unlike(node)
            if reason:
                offences.append(f"{module.name}:{getattr(node, 'lineno', 0)} {function.name}: {reason}")
    return offences


def _under_mask(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        return [node.left, node.right]
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitAnd):
        return [node.value]
    return []


def _is_invert(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert)


def _unlike(node: ast.AST) -> str:
    operation = getattr(node, "op", None)
    if isinstance(operation, ast.Div | ast.FloorDiv | ast.Mod):
        return "division"
    if isinstance(operation, ast.LShift | ast.RShift):
        by = node.right if isinstance(node, ast.BinOp) else getattr(node, "value", None)
        if isinstance(by, ast.Constant) and isinstance(by.value, int) and by.value >= 63:
            return f"shift by {by.value}"
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return "float"
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value >= 1 << 63:
        return "constant beyond a signed 64-bit value"
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if name.startswith("uint"):
        return "unsigned type"
    return "float" if name.startswith("float") else ""


def tracked() -> list[Path]:
    """The files of the tree that git knows or would add; without a repository all that are not hidden."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        visible = (path for path in ROOT.glob("[!.]*/**/*") if "/." not in str(path.relative_to(ROOT)))
        return sorted(path for path in (*ROOT.glob("*.*"), *visible) if path.is_file())
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def machine_words(name: str, text: str) -> list[str]:
    """Paths of one machine and hosts of package registries in a file."""
    return [
        f"{name}:{number}: {found.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern in (MACHINE_PATH, REGISTRY)
        for found in pattern.finditer(line)
    ]
