"""A batch is the loop of single calls: the same counters, owner slots, exclusive bits and statistics."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.checking.operations import FolioSpec, Operation, op
from kernels.checking.replay import Replay, Variant
from kernels.memmap import FolioState
from kernels.mm_types import RMAP_EXCLUSIVE
from kernels.variants import GENERATIONS
from tests.counted import variant_of
from tests.interleavings import SETTINGS

CALLS = {"anon": ("add_anon", "try_dup_anon", "remove"), "file": ("add_file", "dup_file", "remove")}
# (call, generation) that has a batched function: all but 6.7, which has one for file faults.
BATCHED = [
    (kind, call, variant)
    for kind, calls in CALLS.items()
    for call in calls
    for variant in GENERATIONS
    if variant != "v6.7" or call == "add_file"
]
# What a batch may leave out: the single calls before the last find the folio mapped in part, and ask for a
# deferred split; and it is mlocked as a whole only if one call maps the whole (6.18).
LATER = {"deferred_split", "queue_len", "mlocked", "munlocked"}
Ranges = dict[str, tuple[int, int]]


@st.composite
def mapped(draw: st.DrawFn, order: int) -> Ranges:
    """Which range each of three mms maps, in random order; some map nothing."""
    ranges: Ranges = {}
    for vma in draw(st.permutations("ABC")):
        first = draw(st.integers(0, (1 << order) - 1))
        if nr := draw(st.integers(0, (1 << order) - first)):
            ranges[vma] = first, nr
    return ranges


def begun(variant: Variant, spec: FolioSpec, ranges: Ranges, exclusive: int, under: bool) -> Replay:
    """A folio mapped by them, and if `under` by a PMD; `exclusive`: a bit a page, if it is one mm's alone."""
    replay, adding = Replay(variant, [spec]), f"add_{spec.kind}"
    for vma, (first, nr) in ranges.items():
        for page in range(first, first + nr):
            alone = len(ranges) == 1 and spec.anon and exclusive >> page & 1 and not under
            flags = RMAP_EXCLUSIVE if alone else 0
            replay.do(op(adding, "pte", page, 1, vma, flags=flags))
    if under:
        replay.do(op(adding, "pmd", vma="locked"))
    return replay


def batch(draw: st.DataObject, call: str, spec: FolioSpec, ranges: Ranges) -> Operation | None:
    """The call on a range of at least two pages where it is legal."""
    pages = set(range(spec.nr_pages))
    users = sorted(ranges)
    if call == "remove" or "dup" in call:
        if not users:
            return None
        src = draw.draw(st.sampled_from(users), "the one that has them mapped")
        first, nr = ranges[src]
        pages = set(range(first, first + nr))
    vma = src if call == "remove" else "special"
    start = draw.draw(st.sampled_from(sorted(pages)), "first page")
    end = max(pages) + 1
    nr = draw.draw(st.integers(min(end - start, 2), min(end - start, 20)), "pages")
    return op(call, "ptes", start, nr, vma, src=src if "dup" in call else "A")


@pytest.mark.parametrize(("kind", "call", "variant"), BATCHED)
def test_a_batch_equals_the_loop_of_single_calls(kind: str, call: str, variant: str) -> None:
    """On any part of folios of any size, mapped by up to three mms and perhaps by a PMD."""

    @settings(SETTINGS, max_examples=25)
    @given(st.data())
    def equal(draw: st.DataObject) -> None:
        order = draw.draw(st.sampled_from((2, 4, 4, 9)), "order")
        spec, under = FolioSpec(kind, order), order == 9
        ranges = draw.draw(mapped(min(order, 4)), "pages mapped by")
        exclusive = draw.draw(st.integers(0, 0xFFFF), "exclusive pages")
        given = batch(draw, call, spec, ranges)
        if given is None:
            return
        results = []
        for singly in (False, True):
            replay = begun(variant_of(variant), spec, ranges, exclusive, under)
            if call == "add_anon" and any(replay.folios[0].anon_exclusive):
                return  # nobody else may map an exclusive page
            replay.do(list(given.one_by_one()) if singly else given)
            results.append(outcome(replay))
        assert results[0] == results[1]

    equal()


def outcome(replay: Replay) -> tuple[FolioState, dict[str, int], dict[str, int]]:
    """All that must be the same."""
    state = replay.world.state(0)._replace(partially_mapped=None, deferred=None)
    if replay.specs[0].anon:  # the address of A's anon_vma is not the same in two replays
        state = state._replace(mapping=state.mapping - replay.oracle.vmas["A"].anon_vma)
    stats = {name: n for name, n in replay.world.statistics().items() if name not in LATER}
    return state, stats, replay.world.memcg_statistics()


@pytest.mark.parametrize("variant", GENERATIONS)
@pytest.mark.parametrize("exclusive", [0x0001, 0x0020, 0x8000, 0xFFFF])
def test_a_refused_batch_has_a_page_that_is_refused_alone(variant: str, exclusive: int) -> None:
    """-EBUSY for the whole batch exactly if one of its pages gets it (spec 6.7), in any batch."""
    for first, nr in ((0, 16), (0, 5), (5, 1), (6, 10), (15, 1)):
        results = []
        for path in ("ptes", "pte"):
            replay = begun(variant_of(variant), FolioSpec("anon", 4), {"A": (0, 16)}, exclusive, False)
            replay.do(op("pin", ""))
            whole = op("try_dup_anon", path, first, nr, "B")
            singles = list(whole.one_by_one()) if path == "pte" else [whole]
            results.append(min(replay.do(single) for single in singles))
        assert results[0] == results[1] == (-16 if exclusive >> first & (1 << nr) - 1 else 0)
