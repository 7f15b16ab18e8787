"""The house rules hold in every module, and each rule is shown able to fail."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house
from tests.conftest import Cli
from tests.house import Module

Rule = Callable[[Module], list[str]]
KERNEL = "from kernels.abi import *\n@kernel(PTE)\ndef f(folio, page, vma):\n    "

RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "imports run downwards": (house.wrong_direction, ("bench", "kernels")),
    "libraries are imported by their owners": (house.wrong_owner, ("bench", "kernels")),
    "files and functions are short": (house.too_long, ("bench", "kernels", "tests")),
    "files, functions and tests say what they are": (house.undocumented, ("bench", "kernels", "tests")),
    "functions beside kernels are annotated": (house.unannotated, ("kernels",)),
    "kernels keep to signed 64-bit values": (house.unlike_compiled, ("kernels",)),
}
# For each rule: a module that breaks it (name, source) and words of the offence.
BROKEN: list[tuple[Rule, str, str, str]] = [
    (house.wrong_direction, "bench.case", "from bench.results import load", "downwards only"),
    (house.wrong_direction, "bench.judge.stats", "import bench.show.report", "downwards only"),
    (house.wrong_direction, "bench.measure.engine", "def f():\n    from bench.lanes import vm", "downwards"),
    (house.wrong_direction, "bench.lanes.model_call", "from bench.lanes.live import x", "each other"),
    (house.wrong_direction, "bench.lanes.vm.boot", "from bench.lanes import live", "each other"),
    (house.wrong_direction, "bench.lanes.live.workload", "import bench.errors", "standard library only"),
    (
        house.wrong_direction,
        "bench.lanes.live.workload.proof",
        "import bench.errors",
        "standard library only",
    ),
    (house.wrong_direction, "bench.lanes.live.workload.proof", "from .. import lane", "relative"),
    (house.wrong_direction, "bench.lanes.live.session", "from . import workload", "relative"),
    (house.wrong_direction, "bench.gadget", "import bench.errors", "no row of LAYERS"),
    (house.wrong_direction, "bench.cli", "from . import case", "relative"),
    (house.wrong_direction, "kernels.rmap.v6_8", "from bench.case import Case", "never learn"),
    (house.wrong_direction, "kernels.rmap.v6_8", "import kernels.scenario.fork", "rmap, scenario"),
    (house.wrong_direction, "kernels.scenario.fork", "from kernels.rmap import v6_8", "rmap, scenario"),
    (house.wrong_direction, "kernels.folio", "from kernels.rmap import v6_8", "rmap, scenario"),
    (house.wrong_owner, "bench.cli", "import pyperf", "bench.measure bench.results"),
    (house.wrong_owner, "bench.show.report", "import matplotlib.pyplot", "bench.show.chart"),
    (house.wrong_owner, "bench.judge.gate", "from scipy import special", "bench.judge.stats"),
    (house.wrong_owner, "bench.judge.stats", "from scipy import stats", "stats_rank"),
    (house.wrong_owner, "bench.judge.stats", "from scipy import optimize", "nobody"),
    (house.wrong_owner, "bench.measure.engine", "import kernels.abi", "bench.lanes.model"),
    (house.wrong_owner, "bench.results", "def f():\n    import numba", "bench.lanes.model"),
    (house.wrong_owner, "bench.lanes.vm.lane", "def f():\n    import distributed", "cluster.connection"),
    (house.wrong_owner, "bench.case", "import requests", "nobody"),
    (house.wrong_owner, "kernels.memmap", "import pyperf", "bench.measure"),
    (house.wrong_owner, "kernels.reference", "import numpy", "without libraries"),
    (house.wrong_owner, "bench.lanes.live.workload", "import rich.progress", "without libraries"),
    (house.wrong_owner, "bench.lanes.live.workload.proof", "import rich.progress", "without libraries"),
    (house.too_long, "bench.case", "x = 1\n" * 301, "has 301 lines, more than 300"),
    (house.too_long, "kernels.rmap.v6_8", KERNEL + "pass\n" * 1 + "#\n" * 300, "more than 300"),
    (house.too_long, "bench.case", "def f():\n" + "    x = 1\n" * 60, "f has 61 lines"),
    (house.undocumented, "bench.case", "import os", "does not begin with a docstring"),
    (house.undocumented, "bench.case", "# licence\n'''What it is.'''", "does not begin"),
    (house.undocumented, "bench.case", '"""What."""\nclass A:\n    def b(self): ...', "b has no docstring"),
    (house.undocumented, "kernels.rmap.v6_8", '"""What."""\ndef _f(): ...', "_f has no docstring"),
    (house.undocumented, "tests.test_x", '"""What."""\ndef test_a(): ...', "test_a has no docstring"),
    (house.unannotated, "kernels.abi", "def f(x) -> int: ...", "f is not annotated"),
    (house.unannotated, "kernels.abi", "def f(x: int): ...", "f is not annotated"),
    (house.unannotated, "kernels.abi", "def f(*x) -> None: ...", "f is not annotated"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return page << 63", "shift by 63"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "page >>= 64", "shift by 64"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return page // 64", "division"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return page % 64", "division"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return page * 0.5", "float"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return float(page)", "float"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return ~page", "outside a mask"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return page & (1 + ~vma)", "outside a mask"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return page & 0xFFFFFFFFFFFFFFFF", "beyond"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "return types.uint64(page)", "unsigned"),
    (house.unlike_compiled, "kernels.rmap.v6_8", "def f(x):\n    return x / 2", "division"),
]
# Near misses: what the rules must let pass.
SOUND: list[tuple[Rule, str, str]] = [
    (house.wrong_direction, "bench.lanes.live.workload.proof", "from .memory import Mapping"),
    (house.wrong_owner, "bench.lanes.live.workload.proof", "from .memory import Mapping"),
    (house.wrong_direction, "bench.lanes.model_call", "import bench.lanes.model_cases, bench.measure.engine"),
    (house.wrong_direction, "kernels.rmap.v6_12", "from kernels.rmap.v6_10 import folio_remove_rmap_pmd"),
    (house.wrong_owner, "bench.judge.stats", "from scipy.special import stdtrit\nimport numpy as np"),
    (house.wrong_owner, "bench.show.chart_order", "import matplotlib"),
    (house.wrong_owner, "kernels.reference", "import ctypes\nfrom kernels.mm_types import Layout"),
    (house.undocumented, "bench.show", ""),
    (
        house.undocumented,
        "bench.case",
        '"""What."""\ndef _private(): ...\nclass A:\n    def __len__(self): ...',
    ),
    (house.unannotated, "kernels.folio", KERNEL + "pass"),
    (house.unlike_compiled, "kernels.folio", KERNEL + "page &= ~7\n    return page & ~63 | (vma << 62)"),
    (house.unlike_compiled, "kernels.trace", "def share(a: int, b: int) -> float:\n    return a / b"),
]


@pytest.mark.parametrize("name", RULES)
def test_every_module_keeps_the_rule(name: str) -> None:
    """The rule finds no offence in any module of the packages it is for."""
    rule, packages = RULES[name]
    offences = [offence for module in house.modules(*packages) for offence in rule(module)]
    assert not offences, "\n".join([name, *offences])


@pytest.mark.parametrize(("rule", "name", "source", "words"), BROKEN)
def test_each_rule_finds_what_breaks_it(rule: Rule, name: str, source: str, words: str) -> None:
    """A module written to break the rule is reported once, with name and reason."""
    (offence,) = rule(Module.of(name, source))
    assert name in offence and words in offence


@pytest.mark.parametrize(("rule", "name", "source"), SOUND)
def test_rules_let_near_misses_pass(rule: Rule, name: str, source: str) -> None:
    """What looks like an offence and is none is not reported."""
    assert rule(Module.of(name, source)) == []


def test_every_rule_has_a_module_that_breaks_it() -> None:
    """No rule without proof that it can fail."""
    assert {rule for rule, _ in RULES.values()} == {rule for rule, *_ in BROKEN}


def test_functions_are_mostly_short() -> None:
    """Half of all functions have at most 8 lines, nine in ten fewer than 25."""
    lengths = [
        house.length(node) for module in house.modules("bench", "kernels") for node in module.functions()
    ]
    assert shortness(lengths) == []


def shortness(lengths: list[int]) -> list[str]:
    median, ninth = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    said = f"of {len(lengths)} functions: median {median}, 90 % at most {ninth:.0f}, longest {max(lengths)}"
    return [] if median <= 8 and ninth < 25 else [said]


def test_long_functions_are_noticed() -> None:
    """The check of the distribution fails for a high median and for a long tail."""
    assert shortness([9] * 20) and shortness([3] * 16 + [40] * 4)
    assert not shortness([3] * 19 + [40])


def test_a_docstring_is_not_length() -> None:
    """Writing more about a function does not make it too long."""
    bare = Module.of("a", "def f():\n    x = 1\n    return x")
    said = Module.of("a", 'def f():\n    """What.\n\n    More.\n    """\n    x = 1\n    return x')
    assert [house.length(module.functions()[0]) for module in (bare, said)] == [3, 3]


def test_no_file_names_this_machine_or_a_registry() -> None:
    """Nothing in the tree depends on where it was written or where packages come from."""
    offences = []
    for path in house.tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture or an archive
        offences += house.machine_words(str(path.relative_to(house.ROOT)), text)
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize("folder", ["home", "root", "Users", "work", "tmp", "opt"])
def test_machine_paths_are_noticed(folder: str) -> None:
    """A path of one machine is reported with file, line and path; the same words elsewhere are not."""
    path = f"/{folder}/someone"
    assert house.machine_words("a.md", f"ok\nsee `{path}/x`") == [f"a.md:2: {path}"]
    assert house.machine_words("a.md", f"kernels{path} ~{path} $HOME{path}") == []


@pytest.mark.parametrize("host", ["pypi" + ".org/simple", "files.python" + "hosted.org", "ghcr" + ".io/x"])
def test_registry_hosts_are_noticed(host: str) -> None:
    """Where packages come from is the user's setting."""
    assert house.machine_words("a.md", f"from {host}")


STARTS = {
    "importing the command line": ("bench/cli.py", "import bench.cli"),
    "--help": (
        "bench/__main__.py",
        "sys.argv[1:] = ['--help']; runpy.run_module('bench', run_name='__main__')",
    ),
    "list": ("bench/__main__.py", "sys.argv[1:] = ['list']; runpy.run_module('bench', run_name='__main__')"),
}


@pytest.mark.parametrize("name", [name for name, (file, _) in STARTS.items() if (house.ROOT / file).exists()])
def test_starting_loads_no_heavy_library(name: str, cli: Cli) -> None:
    """What only starts, helps or lists stays fast: none of HEAVY is loaded when it ends."""
    assert loaded_by(STARTS[name][1], cli) == []


def test_loading_a_heavy_library_is_noticed(cli: Cli, tmp_path: Path) -> None:
    """The check above sees a library loaded by the module under test."""
    assert loaded_by("import numpy.linalg", cli) == ["numpy"]


def loaded_by(code: str, cli: Cli) -> list[str]:
    """Those of HEAVY that a fresh interpreter has loaded when `code` ends, even by SystemExit."""
    script = (
        "import atexit, runpy, sys\n"
        f"loaded = lambda: [name for name in {house.HEAVY!r} if name in sys.modules]\n"
        "tell = lambda: print('LOADED', *loaded(), file=sys.stderr)\n"
        f"atexit.register(tell)\n{code}\n"
    )
    done = cli.python("-c", script)
    assert done.code == 0, done.err
    return done.err.splitlines()[-1].split()[1:]
