"""Where the kernel's structures keep their fields: offsets, one Layout a generation, flag bits.

Offsets are bytes from the start of the structure; folio-wide counters live in the second descriptor.
Source: spec section 2.
"""

from __future__ import annotations

from typing import NamedTuple

PAGE_BYTES = 64  # sizeof(struct page): one cache line
HPAGE_PMD_ORDER = 9
HPAGE_PMD_NR = 512

# struct page, every page
FLAGS = 0x00
COMPOUND_HEAD = 0x08  # tail pages: address of the head + 1
MAPPING = 0x18
INDEX = 0x20
PRIVATE = 0x28
MAPCOUNT = 0x30  # _mapcount; on a hugetlb head the page type
PAGE_TYPE_BYTE = 0x33
REFCOUNT = 0x34
MEMCG_DATA = 0x38
# struct folio, second and third descriptor
FOLIO_FLAGS_1 = 0x40  # flags of page 1: the order in its low 8 bits, large-folio flags above
DEFERRED_LIST = 0x90  # struct list_head: next, prev

PG_HEAD = 6
PAGE_MAPPING_ANON = 1
HPG_RESTORE_RESERVE = 0  # bit of `private` on a hugetlb head
PAGE_TYPE_HUGETLB = -12  # 0xf4 read as a signed byte
NODES_SHIFT = 58  # node id in the top bits of flags

ENTIRELY_MAPPED = 0x800000
FOLIO_PAGES_MAPPED = ENTIRELY_MAPPED - 1
GUP_PIN_COUNTING_BIAS = 1024
MMF_HAS_PINNED = 27
MM_IDS_LOCK_BIT = 31
MM_ID_MASK = 0x7FFFFFFF
MM_IDS_SHARED = -0x8000_0000_0000_0000  # bit 63 of _mm_ids, as a signed word
MM_IDS_NOT_SHARED = 0x7FFF_FFFF_FFFF_FFFF
MM_ID_LOCK_HALF = -0x8000_0000  # the top bit of a slot's 32-bit word: the lock bit or SHARED

RMAP_NONE = 0
RMAP_EXCLUSIVE = 1
RMAP_COMPOUND = 2  # 6.7 only
EBUSY = 16

# struct vm_area_struct, as far as rmap reads it (offsets are the model's own)
VM_START = 0x00
VM_MM = 0x10
VM_FLAGS = 0x18
VM_ANON_VMA = 0x20
VM_PGOFF = 0x28
VM_PERCPU = 0x30  # stands for %gs: the per-CPU area of the CPU that runs the caller
VMA_BYTES = 0x40
VM_WRITE = 0x02
VM_SHARED = 0x08
VM_MAYWRITE = 0x20
VM_SOFTDIRTY = 0x0800_0000
VM_LOCKED = 0x2000
VM_SPECIAL = 0x10044400
VM_DROPPABLE = 0x40_0000_0000
# struct mm_struct
MM_FLAGS = 0x00
MM_ID = 0x08
MM_RSS_FILE = 0x10
MM_RSS_ANON = 0x18
MM_RSS_SWAP = 0x20
MM_WRITE_PROTECT_SEQ = 0x30  # odd while fork copies a private mapping
MM_BYTES = 0x40
# struct anon_vma
ANON_VMA_ROOT = 0x00
ANON_VMA_BYTES = 0x40


class Layout(NamedTuple):
    """Offsets from the head and bit numbers that differ between generations; -1: the generation has none."""

    large_mapcount: int
    entire_mapcount: int
    nr_pages_mapped: int
    pincount: int
    nr_pages: int
    mm_id_mapcount: int  # two ints
    mm_ids: int  # two 32-bit ids, also one 64-bit word with the lock bit and SHARED
    anon_exclusive: int
    partially_mapped: int
    swapbacked: int
    swapcache: int
    hugetlb_flag: int  # bit of page 1's flags before 6.9, -1: a page type
    page_type_bytes: int  # how much of the head's page type PageAnonExclusive reads; 0: nothing
    page_mapcount: int  # 1: the _mapcount of pages of large folios is maintained


LAYOUT_V6_8 = Layout(
    large_mapcount=-1, entire_mapcount=0x58, nr_pages_mapped=0x5C, pincount=0x60, nr_pages=0x64,
    mm_id_mapcount=-1, mm_ids=-1, anon_exclusive=17, partially_mapped=-1, swapbacked=19, swapcache=12,
    hugetlb_flag=8, page_type_bytes=0, page_mapcount=1,
)  # fmt: skip
LAYOUT_V6_10 = LAYOUT_V6_8._replace(
    large_mapcount=0x50, entire_mapcount=0x54, nr_pages_mapped=0x58, pincount=0x5C, nr_pages=0x60,
    anon_exclusive=16, swapbacked=18, swapcache=11, hugetlb_flag=-1, page_type_bytes=4,
)  # fmt: skip
LAYOUT_V6_12 = LAYOUT_V6_10._replace(
    anon_exclusive=11, partially_mapped=16, swapbacked=17, swapcache=10, page_type_bytes=1
)
LAYOUT_V6_15 = LAYOUT_V6_12._replace(
    entire_mapcount=0x58, nr_pages_mapped=0x54, nr_pages=0x78, mm_id_mapcount=0x60, mm_ids=0x68
)
LAYOUT_V6_15_NO_PAGE_MAPCOUNT = LAYOUT_V6_15._replace(nr_pages_mapped=-1, page_mapcount=0)
