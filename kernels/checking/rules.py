"""What each generation does differently where its layout does not say so (spec 4-6)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kernels.mm_types import HPAGE_PMD_ORDER


@dataclass(frozen=True)
class Rules:
    """What a generation does beyond what its layout says."""

    # Deferred split (spec 4.2) wanted for PMD-sized folios, all large ones, or partially mapped ones.
    split: str
    event_from_order: int = HPAGE_PMD_ORDER  # THP_DEFERRED_SPLIT_PAGE counts folios from this order on
    memcg_pmdmapped: bool = False  # NR_*_PMDMAPPED are counted in the memcg too (spec 4.1)
    adopts: bool = False  # add_anon makes a folio anonymous that is not (spec 6.6 no. 3)
    new_flags: bool = True  # add_new_anon heeds its flags and VM_DROPPABLE (6.11 and later, spec 6.5)
    mthp_stat: bool = False  # new large folios are counted an order
    mlocks_large: bool = False  # a call that maps all pages of a large folio mlocks it
    dups_file_pmd_as_pmd: bool = False  # later generations pass the PTE level and 512 pages (spec 1.2 no. 5)


_RFC = Rules("pmd", memcg_pmdmapped=True, adopts=True, new_flags=False)
_V6_15 = Rules("partial", mthp_stat=True, mlocks_large=True)
RULES = {
    "v6.7": dataclasses.replace(_RFC, dups_file_pmd_as_pmd=True),
    "rfc-2023-12": _RFC,
    "v6.8": Rules("large", event_from_order=2, memcg_pmdmapped=True, adopts=True, new_flags=False),
    "v6.10": Rules("partial", new_flags=False),
    "v6.12": Rules("partial", mthp_stat=True),
    "v6.15": _V6_15,
    "v6.15-no-page-mapcount": _V6_15,
}
