"""Per-CPU statistics with thresholds, and the per-CPU area they live in (spec section 4.1)."""

from __future__ import annotations

from kernels.abi import helper, side_effect
from kernels.atomic import *
from kernels.folio import (
    folio_nr_pages,
    folio_test_anon,
    folio_test_large,
    test_bit,
    vma_wants_mlock,
    vma_wants_munlock,
)
from kernels.mm_types import *

# Counters, in the order they lie in every block below.
NR_ANON_MAPPED, NR_FILE_MAPPED, NR_ANON_THPS, NR_SHMEM_PMDMAPPED, NR_FILE_PMDMAPPED = range(5)
NR_STAT_ITEMS = 5
ITEM_NAMES = ("NR_ANON_MAPPED", "NR_FILE_MAPPED", "NR_ANON_THPS", "NR_SHMEM_PMDMAPPED", "NR_FILE_PMDMAPPED")

# The per-CPU area, one a thread.
PCPU_PREEMPT_COUNT = 0x00
PCPU_RCU_NESTING = 0x08
PCPU_THRESHOLD = 0x10  # signed byte
PCPU_DIFF = 0x18  # signed byte an item
PCPU_NODE_DATA = 0x20  # address of the node's counters (one node)
PCPU_GLOBAL = 0x28  # address of the global counters
PCPU_MEMCG = 0x30  # this CPU's memcg counters: 8 bytes an item
PCPU_LRUVEC = 0x60  # this CPU's memcg-per-node counters
PCPU_MEMCG_UPDATES = 0x90  # pages changed since the memcg was last told
PCPU_MTHP_NR_ANON = 0x98  # folios an order, orders 0..9
PCPU_THP_DEFERRED_SPLIT = 0xE8
PCPU_MLOCKED = 0xF0
PCPU_MUNLOCKED = 0xF8
PCPU_BYTES = 0x100
# struct mem_cgroup
MEMCG_UPDATES = 0x00  # told by all CPUs since the last flush
MEMCG_FLUSH_AT = 0x08  # flushable from here on
MEMCG_SPLIT_QUEUE = 0x40
MEMCG_BYTES = 0x80
MEMCG_CHARGE_BATCH = 64

DEFAULT_THRESHOLD = 125  # the highest the kernel uses: min(125, 2 fls(cpus) (1 + fls(memory / 128 MiB)))


@helper
def folio_nid(folio):
    """Node id of the folio."""
    return (READ64(folio + FLAGS) >> NODES_SHIFT) & 0x3F


@helper
def this_cpu_add(address, value):
    """Add to a word of the per-CPU area: plain load and store."""
    WRITE64(address, READ64(address) + value)


@helper
def __mod_node_page_state(percpu, node, item, nr):
    """Add to the per-CPU difference; past the threshold carry it into the node's and the global counter."""
    x = nr + READ8(percpu + PCPU_DIFF + item)
    threshold = READ8(percpu + PCPU_THRESHOLD)
    if x > threshold or x < -threshold:
        atomic64_add(x, READ64(percpu + PCPU_NODE_DATA) + node * 0x40 + item * 8)
        atomic64_add(x, READ64(percpu + PCPU_GLOBAL) + item * 8)
        x = 0
    WRITE8(percpu + PCPU_DIFF + item, x)


@helper
def __mod_memcg_lruvec_state(percpu, memcg, item, nr):
    """Two per-CPU adds, and about every 64 pages a locked add while the memcg is not flushable yet."""
    this_cpu_add(percpu + PCPU_MEMCG + item * 8, nr)
    this_cpu_add(percpu + PCPU_LRUVEC + item * 8, nr)
    updates = READ64(percpu + PCPU_MEMCG_UPDATES) + (nr if nr > 0 else -nr)
    if updates >= MEMCG_CHARGE_BATCH:
        if READ64(memcg + MEMCG_UPDATES) < READ64(memcg + MEMCG_FLUSH_AT):
            atomic64_add(updates, memcg + MEMCG_UPDATES)
        updates = 0
    WRITE64(percpu + PCPU_MEMCG_UPDATES, updates)


@side_effect
def lruvec_stat_mod_folio(folio, item, nr, vma):
    """Change a counter by nr pages on the node and in the folio's memcg."""
    percpu = READ64(vma + VM_PERCPU)
    this_cpu_add(percpu + PCPU_RCU_NESTING, 1)
    __mod_node_page_state(percpu, folio_nid(folio), item, nr)
    memcg = READ64(folio + MEMCG_DATA)
    if memcg != 0:
        __mod_memcg_lruvec_state(percpu, memcg, item, nr)
    this_cpu_add(percpu + PCPU_RCU_NESTING, -1)


@side_effect
def node_stat_mod_folio(folio, item, nr, vma):
    """Change a counter by nr pages on the node only."""
    __mod_node_page_state(READ64(vma + VM_PERCPU), folio_nid(folio), item, nr)


@side_effect
def mod_mthp_stat(order, nr, vma):
    """Count anonymous folios an order, per CPU and without a lock (6.12 and later)."""
    this_cpu_add(READ64(vma + VM_PERCPU) + PCPU_MTHP_NR_ANON + order * 8, nr)


@side_effect
def mlock_folio(folio, vma):
    """Ask for the folio to be mlocked; the model counts the request on this CPU."""
    this_cpu_add(READ64(vma + VM_PERCPU) + PCPU_MLOCKED, 1)


@side_effect
def munlock_folio(folio, vma):
    """Ask for the folio to be munlocked; the model counts the request on this CPU."""
    this_cpu_add(READ64(vma + VM_PERCPU) + PCPU_MUNLOCKED, 1)


@helper
def pmdmapped_item(layout, folio):
    """Which PMD counter a file folio is in: one load of its flags."""
    return NR_SHMEM_PMDMAPPED if test_bit(layout.swapbacked, folio + FLAGS) else NR_FILE_PMDMAPPED


@helper
def mod_pmd_stat(layout, folio, nr_pmdmapped, vma):
    """Change the PMD counter of the folio's kind as of 6.10: file kinds on the node only."""
    if folio_test_anon(folio):
        lruvec_stat_mod_folio(folio, NR_ANON_THPS, nr_pmdmapped, vma)
    else:
        node_stat_mod_folio(folio, pmdmapped_item(layout, folio), nr_pmdmapped, vma)


@helper
def mod_pmd_stat_memcg(layout, folio, nr_pmdmapped, vma):
    """Change the PMD counter of the folio's kind before 6.10: all kinds in the memcg too."""
    item = NR_ANON_THPS if folio_test_anon(folio) else pmdmapped_item(layout, folio)
    lruvec_stat_mod_folio(folio, item, nr_pmdmapped, vma)


@helper
def mod_mapped_stat(folio, nr, vma):
    """Change the MAPPED counter of the folio's kind by nr pages."""
    item = NR_ANON_MAPPED if folio_test_anon(folio) else NR_FILE_MAPPED
    lruvec_stat_mod_folio(folio, item, nr, vma)


@helper
def mod_anon_stat(folio, nr, nr_pmdmapped, vma):
    """Both counters of an add before 6.11, which knows the kind of folio: the PMD counter first."""
    if nr_pmdmapped != 0:
        lruvec_stat_mod_folio(folio, NR_ANON_THPS, nr_pmdmapped, vma)
    if nr != 0:
        lruvec_stat_mod_folio(folio, NR_ANON_MAPPED, nr, vma)


@helper
def mod_file_stat(layout, folio, nr, nr_pmdmapped, vma):
    """Both counters of an add of a file folio before 6.10: the PMD counter first, in the memcg too."""
    if nr_pmdmapped != 0:
        lruvec_stat_mod_folio(folio, pmdmapped_item(layout, folio), nr_pmdmapped, vma)
    if nr != 0:
        lruvec_stat_mod_folio(folio, NR_FILE_MAPPED, nr, vma)


@helper
def mod_stat(layout, folio, nr, nr_pmdmapped, vma):
    """Both counters of a call as of 6.11: MAPPED first, then the PMD counter."""
    if nr != 0:
        mod_mapped_stat(folio, nr, vma)
    if nr_pmdmapped != 0:
        mod_pmd_stat(layout, folio, nr_pmdmapped, vma)


@helper
def mlock_small_folio(folio, vma):
    """The mlock check at the end of every add before 6.18: small folios only."""
    if not folio_test_large(folio) and vma_wants_mlock(vma):
        mlock_folio(folio, vma)


@helper
def mlock_whole_folio(layout, folio, nr_pages, vma):
    """The mlock check as of 6.18: a call that maps all pages of the folio, small or large."""
    if folio_nr_pages(layout, folio) == nr_pages and vma_wants_mlock(vma):
        mlock_folio(folio, vma)


@helper
def munlock_vma_folio(folio, vma):
    """The munlock check at the end of every remove, for folios of any size."""
    if vma_wants_munlock(vma):
        munlock_folio(folio, vma)
