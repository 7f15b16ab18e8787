"""The two threads' check in a process that compiles: `python -m tests.races run|break NAME...`.

`run` runs the races of variants; `break` makes a primitive not atomic, each in a process of its own, and runs
the races that must show it. A line of JSON for each name: the name, and what the check says.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

TRIES = 200  # of some 10 ms, until two threads on a busy machine met at the word that is not atomic


class Broken(NamedTuple):
    """The race in which a primitive that is not atomic shows, and the counters that show it."""

    variant: str
    kind: str
    order: int
    call: str  # the first of the pair
    path: str
    counter: str


FLAGS, COUNT, TOTAL = "updates lost beside it", "_mapcount|NR_FILE_MAPPED", "_large_mapcount"
# One for every primitive that is locked in a call.
BROKEN = {
    "atomic_inc": Broken("v6.12", "file", 0, "dup_file", "pte", COUNT),
    "atomic_dec": Broken(
        "v6.12", "hugetlb_file", 9, "hugetlb_add_file", "folio", f"_entire_mapcount|{TOTAL}"
    ),
    "atomic_add": Broken("v6.12", "file", 4, "dup_file", "pte", TOTAL),
    "atomic_sub": Broken("v6.12", "file", 4, "dup_file", "pte", TOTAL),
    "atomic_inc_and_test": Broken("v6.12", "file", 0, "add_file", "ptes", COUNT),
    "atomic_dec_and_negative": Broken("v6.12", "file", 0, "dup_file", "pte", COUNT),
    "atomic_add_return": Broken("v6.10", "file", 4, "add_file", "ptes", "_nr_pages_mapped|NR_FILE_MAPPED"),
    "set_bit": Broken("v6.12", "anon", 0, "add_anon", "ptes", FLAGS),
    "clear_bit": Broken("v6.12", "anon", 0, "try_share_anon", "pte", FLAGS),
    "test_and_set_bit31_lock": Broken("v6.15", "file", 4, "dup_file", "pte", f"{TOTAL}|_mm_id.*"),
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

    builders = {  # those that are inline assembly where there is any
        "atomic_dec_and_negative": lower._dec_and_negative,
        "test_and_set_bit31_lock": lower._lock_bit31,
    }
    arguments, result, build = lower.LOWERING[name]
    build = builders.get(name, build)
    lower.INTRINSICS[name] = lower._intrinsic(
        name, arguments, result, lambda builder, *args: build(LoadAndStore(builder), *args)
    )


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Both CPUs for these races: others of these processes wait meanwhile.

    Note: beside one that compiled, two threads shared a CPU: 787 tries until an update was lost, else two.
    """
    with _locked(cache, fcntl.LOCK_EX):
        yield


@contextmanager
def compiling(cache: Path) -> Iterator[None]:
    """Beside others that compile, and while nobody runs races."""
    with _locked(cache, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(cache: Path, how: int) -> Iterator[None]:
    with (cache / "races.lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield


def shows(broken: Broken, race: Any) -> bool:
    """Is it the race in which the primitive shows?"""
    pair = race.pair[0]
    same = (race.kind, race.order, pair.call, pair.path) == broken[1:5]
    return same and race.beside_flags == (broken.counter == FLAGS)


KEPT: list[Any] = []  # a thread that waits for a lock for ever goes on reading the memory of its contest


def caught(name: str, cache: Path) -> str:
    """What the check says of a primitive that is not atomic, empty if it says nothing."""
    from kernels.checking import threads
    from kernels.checking.replay import Mismatch, Variant
    from kernels.variants import discover

    broken, threads.PATIENCE = BROKEN[name], 2  # a lock that is not atomic may stay taken for ever
    with compiling(cache):
        variant = Variant(discover()[broken.variant])
        contests = [threads.Contest(variant, race) for race in threads.races(variant) if shows(broken, race)]
    KEPT.extend(contests)
    try:
        for _ in range(TRIES):
            with alone(cache):
                for contest in contests:
                    contest.run()
    except Mismatch as mismatch:
        return str(mismatch)
    return ""


def in_a_process(name: str, cache: Path) -> None:
    """Answer for one broken primitive; the processes share numba, imported, but no kernel."""
    from kernels import abi, lower  # noqa: F401 - imported once for all

    for _ in range(3):  # a process whose locks do not lock may die before it answers
        if os.fork() == 0:
            abi.use_cache(cache / name)
            break_primitive(name)
            print(json.dumps([name, caught(name, cache)]), flush=True)
            os._exit(0)  # a thread may wait for a lock for ever
        if os.wait()[1] == 0:
            return


def lost_nothing(name: str, cache: Path) -> str:
    """What the check says of a variant, every kernel compiled before the races."""
    from kernels.checking.replay import Variant
    from kernels.checking.threads import Contest, races, two_threads
    from kernels.variants import discover

    with compiling(cache):
        variant = Variant(discover()[name])
        for race in races(variant):
            Contest(variant, race)
    with alone(cache):
        return two_threads(variant)


def main() -> None:
    """Answer for each name."""
    from kernels import abi

    task, *names = sys.argv[1:]
    cache = Path(os.environ["RMAPBENCH_CACHE_DIR"])
    if task == "break":
        for name in names:
            in_a_process(name, cache)
        return
    abi.use_cache(cache)
    for name in names:
        print(json.dumps([name, lost_nothing(name, cache)]), flush=True)


if __name__ == "__main__":
    assert "kernels.atomic" not in sys.modules
    main()
