"""The two threads' check in a process that compiles: `python -m tests.races compile|run|break NAME...`.

`compile` prepares races of variants, `run` runs them, `break` runs those that show a primitive that is not
atomic, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

TRIES = 5  # until two threads on a busy machine met


class Broken(NamedTuple):
    """A race in which a primitive that is not atomic shows, and the counter that shows it."""

    variant: str
    kind: str
    order: int
    counter: str


# One for every primitive that is locked in a call.
BROKEN = {
    "atomic_inc": Broken("v6.12", "file", 0, "_mapcount"),
    "atomic_dec": Broken("v6.12", "hugetlb_file", 9, "_entire_mapcount"),
    "atomic_add": Broken("v6.12", "file", 4, "_large_mapcount"),
    "atomic_sub": Broken("v6.12", "file", 4, "_large_mapcount"),
    "atomic_inc_and_test": Broken("v6.12", "file", 0, "_mapcount"),
    "atomic_dec_and_negative": Broken("v6.12", "file", 0, "_mapcount"),
    "atomic_add_return": Broken("v6.10", "file", 4, "_nr_pages_mapped"),
    "set_bit": Broken("v6.12", "anon", 0, "updates lost beside it"),
    "clear_bit": Broken("v6.12", "anon", 0, "updates lost beside it"),
    "test_and_set_bit31_lock": Broken("v6.15", "file", 4, "_large_mapcount"),
}


class LoadAndStore:
    """An LLVM builder whose read-modify-writes are a load and a store."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def atomic_rmw(self, operation: str, pointer: Any, value: Any, ordering: str) -> Any:
        nbytes = value.type.width // 8
        old = self._builder.load_atomic(pointer, "monotonic", nbytes)
        steps = {"add": self.add, "sub": self.sub, "or": self.or_, "and": self.and_}
        self._builder.store_atomic(steps[operation](old, value), pointer, "monotonic", nbytes)
        return old


def break_primitive(name: str) -> None:
    """Make a primitive a load and a store, for kernels that are imported from now on."""
    from kernels import lower

    builders = {
        "atomic_dec_and_negative": lower._dec_and_negative,
        "test_and_set_bit31_lock": lower._lock_bit31,
    }
    arguments, result, build = lower.LOWERING[name]
    build = builders.get(name, build)
    lower.INTRINSICS[name] = lower._intrinsic(
        name, arguments, result, lambda builder, *args: build(LoadAndStore(builder), *args)
    )


def contests_of(name: str) -> list[Any]:
    """All races of a variant, compiled."""
    from kernels.checking.replay import Variant
    from kernels.checking.threads import Contest, races
    from kernels.variants import discover

    variant = Variant(discover()[name])
    return [Contest(variant, race) for race in races(variant)]


def caught(name: str) -> str:
    """What the check says of a primitive that is not atomic, empty if it says nothing."""
    from kernels.checking import threads
    from kernels.checking.replay import Mismatch, Variant
    from kernels.variants import discover

    broken, every = BROKEN[name], threads.races
    threads.PATIENCE = 2  # a lock that is not atomic may stay taken for ever
    threads.races = lambda variant: (
        race for race in every(variant) if (race.kind, race.order) == (broken.kind, broken.order)
    )
    try:
        for _ in range(TRIES):
            threads.two_threads(Variant(discover()[broken.variant]))
    except Mismatch as mismatch:
        return str(mismatch)
    return ""


def in_a_process(name: str, cache: Path) -> None:
    """Answer for one broken primitive; the processes share numba, imported, but no kernel."""
    from kernels import abi, lower  # noqa: F401 - imported once for all

    if os.fork() == 0:
        abi.use_cache(cache / name)
        break_primitive(name)
        print(json.dumps([name, caught(name)]), flush=True)
        os._exit(0)  # a thread may wait for a lock for ever
    os.wait()


def main() -> None:
    """Answer with a line of JSON for each name."""
    from kernels import abi

    task, *names = sys.argv[1:]
    cache = Path(os.environ["RMAPBENCH_CACHE_DIR"])
    if task == "break":
        for name in names:
            in_a_process(name, cache)
        return
    abi.use_cache(cache)
    for name in names:
        contests = contests_of(name)
        if task == "run":
            from kernels.checking.threads import two_threads

            print(json.dumps([name, two_threads(contests[0].variant)]), flush=True)


if __name__ == "__main__":
    assert "kernels.atomic" not in sys.modules
    main()
