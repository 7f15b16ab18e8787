"""The timed loops: a sweep makes one call on every folio of an arena, a batch times sweeps.

Sweeps take the address of a site, a block of 64-bit words that says what to call on what (offsets below).
There is one sweep for each prototype, all of one source, and none of them knows a variant.
"""

from __future__ import annotations

from typing import Any

from kernels.abi import INTERFACE, Prototype, helper, kernel
from kernels.atomic import *
from kernels.deferred_split import QUEUE_LEN, list_empty, split_queue
from kernels.mm_types import DEFERRED_LIST, FLAGS, FOLIO_FLAGS_1, PAGE_BYTES

# A site: what a sweep calls, on which descriptors, with which arguments.
CALL, FIRST, END, FOLIO_BYTES, STEP_BYTES, NR_PAGES, VMA = range(0, 7 * 8, 8)
SRC_VMA, ARGUMENT, ADDRESS, FAILED, EXTRA, SCRATCH, KEEP = range(7 * 8, 14 * 8, 8)
SITE_BYTES = 0x80
# A plan: what a batch runs, and where it leaves the nanoseconds spent.
SWEEP, SITE, INVERSE, INVERSE_SITE, PREPARE, PREPARE_SITE, LOOPS, SWEEP_NS, INVERSE_NS = range(0, 9 * 8, 8)
# Of a positive control: what sweep and inverse spend on every so-many-th pass (0: no control).
SWEEP_EXTRA, INVERSE_EXTRA, EXTRA_EVERY = range(9 * 8, 12 * 8, 8)
AGAIN = 12 * 8  # how often a pass repeats the sweep, of calls that are over too soon to be timed
PLAN_BYTES = 0x80

QUEUED_FROM = PAGE_BYTES << 2  # of descriptors: the list's head lies on the third page

ON_SITE = Prototype(("site",))

# How a sweep comes by each argument of a prototype; `argument` is flags, or 6.7's compound.
_ARGUMENTS = {
    "folio": "folio",
    "page": "page",
    "nr_pages": "READ64(site + NR_PAGES)",
    "vma": "vma",
    "dst_vma": "READ64(site + VMA)",
    "src_vma": "src_vma",
    "address": "address",
    "flags": "READ64(site + ARGUMENT)",
    "compound": "READ64(site + ARGUMENT)",
}
# What a call needs beside the place it works on is read from the site each time: few registers outlive a
# call, and spilling what changes would be a store in the loop, which the next locked instruction waits for.
_SWEEP = """
def {name}(site):
    step_bytes = READ64(site + STEP_BYTES)
    vma = READ64(site + VMA)
    src_vma = READ64(site + SRC_VMA)
    address = READ64(site + ADDRESS)
    WRITE64(site + FAILED, 0)
    {loops}
    spend_extra(site)
"""
# Prototypes with folio and page: page by page, or a step over the whole folio.
_PAGES_OF_FOLIOS = """
    folio = READ64(site + FIRST)
    folio_bytes = READ64(site + FOLIO_BYTES)
    while folio < READ64(site + END):
        page = folio
        while True:
            {call}
            page += step_bytes
            address += step_bytes << 6
            if page - folio >= {folio_bytes}:
                break
        folio = page
"""
# Prototypes with one of them.
_PLACES = """
    call = READ64(site + CALL)
    end = READ64(site + END)
    folio = page = READ64(site + FIRST)
    while page < {end}:
        {call}
        page += step_bytes
        folio = page
        address += step_bytes << 6
"""


@helper
def spend_extra(site):
    """The positive control's additional locked instructions, none elsewhere."""
    spent = 0
    while spent < READ64(site + EXTRA):  # read each time: an unrolled loop fills a page of code
        atomic_inc(READ64(site + SCRATCH))
        spent += 1


def _sweep_of(prototype: Prototype) -> Any:
    """The sweep that makes calls of one prototype, in its own place in this file for numba's cache."""
    name = "sweep_" + "_".join(prototype.args) + ("_int" if prototype.returns else "")
    both, crowded = {"folio", "page"} <= set(prototype.args), "address" in prototype.args
    function = "READ64(site + CALL)" if both or crowded else "call"
    call = f"call{len(prototype.args)}({', '.join([function, *(_ARGUMENTS[arg] for arg in prototype.args)])})"
    loops = (_PAGES_OF_FOLIOS if both else _PLACES).strip()
    loops = loops.format(
        call=f"if {call} != 0: WRITE64(site + FAILED, 1)" if prototype.returns else call,
        folio_bytes="READ64(site + FOLIO_BYTES)" if crowded else "folio_bytes",
        end="READ64(site + END)" if crowded else "end",
    )
    source = _SWEEP.format(name=name, loops=loops)
    exec(compile(source, __file__, "exec"), globals())
    return kernel(ON_SITE)(globals()[name])


SWEEPS = {prototype: _sweep_of(prototype) for prototype in dict.fromkeys(INTERFACE.values())}


@kernel(ON_SITE)
def sweep_yardstick(site):
    """NR_PAGES locked increments of one word: what a locked instruction costs here and now."""
    left = READ64(site + NR_PAGES)
    scratch = READ64(site + SCRATCH)
    while left > 0:
        atomic_inc(scratch)
        left -= 1


@kernel(ON_SITE)
def prepare_exclusive(site):
    """Set flag bits ARGUMENT of every STEP_BYTES-th page, unlocked: try_dup and try_share clear them."""
    page = READ64(site + FIRST)
    end = READ64(site + END)
    step_bytes = READ64(site + STEP_BYTES)
    bits = READ64(site + ARGUMENT)
    while page < end:
        WRITE64(page + FLAGS, READ64(page + FLAGS) | bits)
        page += step_bytes


@helper
def take_off_queue(folio, keep):
    """Take a folio off the deferred-split queue if it is on it; `keep` masks page 1's flags."""
    entry = folio + DEFERRED_LIST
    if not list_empty(entry):
        following = READ64(entry)
        before = READ64(entry + 8)
        WRITE64(following + 8, before)
        WRITE64(before, following)
        WRITE64(entry, entry)
        WRITE64(entry + 8, entry)
        queue = split_queue(folio)
        WRITE64(queue + QUEUE_LEN, READ64(queue + QUEUE_LEN) - 1)
        WRITE64(folio + FOLIO_FLAGS_1, READ64(folio + FOLIO_FLAGS_1) & keep)


@kernel(ON_SITE)
def prepare_unmapped(site):
    """Leave folios as new ones are: not queued; KEEP masks a head's flags, ARGUMENT page 1's."""
    folio = READ64(site + FIRST)
    end = READ64(site + END)
    folio_bytes = READ64(site + FOLIO_BYTES)
    while folio < end:
        WRITE64(folio + FLAGS, READ64(folio + FLAGS) & READ64(site + KEEP))
        if folio_bytes >= QUEUED_FROM:
            take_off_queue(folio, READ64(site + ARGUMENT))
        folio += folio_bytes


@helper
def grant_extra(plan, granted):
    """Let sweep and inverse of the next pass spend the control's extra instructions, or none."""
    WRITE64(READ64(plan + SITE) + EXTRA, granted * READ64(plan + SWEEP_EXTRA))
    if READ64(plan + INVERSE) != 0:
        WRITE64(READ64(plan + INVERSE_SITE) + EXTRA, granted * READ64(plan + INVERSE_EXTRA))


@kernel(Prototype(("plan",)))
def batch(plan):
    """Run LOOPS passes of prepare (not timed), sweep and inverse (timed apart); sums go to the plan."""
    loops = READ64(plan + LOOPS)
    sweep = READ64(plan + SWEEP)
    inverse = READ64(plan + INVERSE)
    prepare = READ64(plan + PREPARE)
    sweep_ns = 0
    inverse_ns = 0
    every = READ64(plan + EXTRA_EVERY)
    turn = every
    while loops > 0:
        if every != 0:
            turn -= 1
            grant_extra(plan, 1 if turn == 0 else 0)
            turn = every if turn == 0 else turn
        if prepare != 0:
            call1(prepare, READ64(plan + PREPARE_SITE))
        start = clock_ns()
        call1(sweep, READ64(plan + SITE))
        again = READ64(plan + AGAIN)
        while again > 0:
            WRITE64(READ64(plan + SITE) + EXTRA, 0)
            call1(sweep, READ64(plan + SITE))
            again -= 1
        middle = clock_ns()
        sweep_ns += middle - start
        if inverse != 0:
            call1(inverse, READ64(plan + INVERSE_SITE))
            inverse_ns += clock_ns() - middle
        loops -= 1
    WRITE64(plan + SWEEP_NS, sweep_ns)
    WRITE64(plan + INVERSE_NS, inverse_ns)
