"""Arms of scenarios: a scene, its windows and a plan of passes that times the scenario and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.lanes.model.arms import LEAST_SECONDS
from bench.lanes.model.patterns import Picture
from bench.lanes.model.scenarios import Form
from bench.lanes.model.scene import Code, Scene, SceneSpec
from bench.lanes.model.scene_world import Arena, SceneWorld
from bench.lanes.model.sizes import BASE_PAGE, parse_memory
from kernels import abi, scene
from kernels.memmap import get, put, words_at
from kernels.scenario import fork, zap

WINDOW_PAGES = 1024  # 64 KiB of descriptors: hot in the first two cache levels
STEPS = {"ENTER": scene.enter_window, "RESTORE": scene.restore, "NEXT": scene.next_window}
# Kernels that a form calls out of line.
HELPERS: Mapping[str, Any] = {
    "fork_ptes": fork.copy_present_ptes,
    "fork_scan_first": fork.folio_nr_pages_cont_mapped,
    "munmap_ptes": zap.zap_present_folio_ptes,
    "exit_ptes": zap.zap_present_folio_ptes_full,
}


def kernel_of(form: Form) -> Any:
    """The form's kernel."""
    return getattr(importlib.import_module(f"kernels.scenario.{form.module}"), form.function)


def kernels_of(form: Form) -> list[Any]:
    """Everything beside a variant's calls that an arm of the form runs."""
    helper = HELPERS.get(form.function)
    return [kernel_of(form), *STEPS.values(), scene.leave, scene.batch_windows, *([helper] if helper else [])]


class SceneBatch:
    """A scene ready to be timed, on the windows it owns of an arena: every `step`-th from `first` on."""

    def __init__(
        self, world: SceneWorld, spec: SceneSpec, code: Code, npages: int = WINDOW_PAGES,
        pads: tuple[int, int] = (0, 0),
        share: tuple[int, int] = (0, 1), cpu: int = 0, drawn: Picture | None = None,
    ) -> None:  # fmt: skip
        self.world, self.spec = world, spec
        drawn = drawn or spec.picture(npages)
        self.arena = arena_for(world, spec, npages, share[1], cpu)
        self.owned = range(share[0] % self.arena.windows, self.arena.windows, share[1])
        self.scene = Scene(world, code, spec.what, drawn, self.arena, cpu)
        self.npages = drawn.walked
        self.loops = 1
        self.overhead_ns = 0.0
        self._image = self.scene.image()
        self._child_image = self.scene.child_image()
        self.block = self._block(code, *pads)
        self.plan = self._plan(pads[0])
        self._run = {name: abi.callable_of(kernel) for name, kernel in STEPS.items()}
        self._batch = abi.callable_of(scene.batch_windows)
        self.scenario = abi.callable_of(kernel_of(self.form))
        if len(self.owned) > 1:
            self._furnish()

    @property
    def form(self) -> Form:
        """What is timed."""
        return self.spec.what.forms[self.spec.path]

    def _block(self, code: Code, moved: int, pad: int) -> int:
        block = self.world.scratch.take(scene.SCENE_BYTES)
        helper = HELPERS.get(self.form.function)
        words = self.scene.words(
            IMAGE=self._image.ctypes.data,
            IMAGE_CHILD=self._child_image.ctypes.data if self.spec.what.uses_child else 0,
            ORDER=self.spec.order,
            HELPER=abi.address_of(helper, moved) if helper else 0,
            WINDOW=self.owned.start, WINDOW_FIRST=self.owned.start, WINDOW_STEP=self.owned.step,
            WINDOWS_END=self.owned.stop,
        )  # fmt: skip
        for offset, value in {**words, **code.addresses(self.spec.what.words, pad)}.items():
            put(block + offset, value)
        return block

    def _plan(self, pad: int) -> int:
        plan = self.world.scratch.take(scene.SCENE_PLAN_BYTES)
        steps = {name: abi.address_of(kernel) for name, kernel in STEPS.items()}
        if self.spec.what.undoes_itself:
            steps["RESTORE"] = abi.address_of(scene.leave)
        words = {"SCENARIO": abi.address_of(kernel_of(self.form), pad), "SCENE": self.block, **steps}
        for name, value in words.items():
            put(plan + getattr(scene, name), value)
        return plan

    def _furnish(self) -> None:
        """Put every owned window into the state of the image, which was made in window 0."""
        for window in self.owned:
            put(self.block + scene.WINDOW, window)
            self.reset()
        put(self.block + scene.WINDOW, self.owned.start)

    def reset(self) -> None:
        """Put the current window into its first state."""
        self._run["ENTER"](self.block)
        self._run["RESTORE"](self.block)

    def spend_extra(self, extra: int) -> None:
        """Make it a positive control: locked instructions added to each pass."""
        put(self.block + scene.EXTRA, extra)

    def nanoseconds(self, passes: int) -> tuple[int]:
        """Time so many passes, each on the next window; arms that share a window put it right first."""
        if len(self.owned) == 1:
            self.reset()
        self.pass_windows(passes)
        return (get(self.plan + scene.NANOSECONDS),)

    def pass_windows(self, passes: int) -> None:
        """So many passes, timed in the plan."""
        put(self.plan + scene.PASSES, passes)
        self._batch(self.plan)

    def run(self) -> tuple[float, ...]:
        """Seconds per base page."""
        return (self.seconds(0) / self.loops / self.npages,)

    def seconds(self, place: int) -> float:
        """Seconds of all passes."""
        spent = self.nanoseconds(self.loops)[0] - self.overhead_ns * self.loops
        self.expect_success()
        return max(spent * 1e-9, LEAST_SECONDS)

    def expect_success(self) -> None:
        """RuntimeError if a call was refused."""
        if get(self.block + scene.FAILED):
            raise RuntimeError("a call was refused in the timed loop")

    def expect_first_state(self, who: str) -> None:
        """RuntimeError unless descriptors and A's tables are as in the image."""
        if self.scene.image().tobytes() != self._image.tobytes():
            arm = f"{self.spec.scenario} of {self.spec.variant} on path {self.spec.path}"
            raise RuntimeError(f"{arm} did not undo itself ({who})")

    def present(self) -> tuple[int, int]:
        """Entries in A's tables and in the child's that are not empty, in the current window."""
        tables, child = (get(self.block + word) for word in (scene.TABLES, scene.CHILD_TABLES))
        return self._filled(tables), self._filled(child)

    def _filled(self, table: int) -> int:
        drawn = self.scene.drawn
        return int(np.count_nonzero(words_at(table, drawn.slots)[drawn.begin :]))

    def verify(self) -> None:
        """The scenario must leave as many entries as it says, and the window must go back to its image."""
        self.reset()
        self.scenario(self.block)
        due = self.spec.what.entries_left(self.npages, self.spec.order)
        found = self.present()
        if self.spec.what.undoes_itself:
            self.expect_first_state("by itself")
        self.reset()
        if found != due:
            raise RuntimeError(
                f"{self.spec.scenario} on path {self.spec.path} left {found} entries, not {due}"
            )


def arena_for(world: SceneWorld, spec: SceneSpec, npages: int, arms: int, cpu: int = 0) -> Arena:
    """The arena an arm works in: one hot window that all arms share, or as many as the memory has.

    Every arm owns at least one, so that a small memory among many arms is somewhat larger than its name.
    """
    spare = npages if spec.what.pinned else 0
    windows = 1
    if spec.memory:
        windows = max(parse_memory(spec.memory) // BASE_PAGE // npages, arms)
    thread = 0 if spec.what.shares_pages else cpu
    found: Arena = world.arena(windows, npages + spare, npages, thread)
    return found
