"""Every access of a call to the folio's descriptors, in order (spec 6.17), for each generation."""

from __future__ import annotations

import re

import pytest

from kernels.variants import GENERATIONS
from tests.counted import traced
from tests.situations import situation

# Accesses: kind, page, field. r, w: plain load and store; U, N: locked, result used or not; F: full fence;
# S: a statistics call; deferred: the deferred-split call; mod: the count of new folios an order; unlock: the
# owner lock's release, a plain store. id0 is the lower half of the word of both ids, with the lock bit.
# Where the compiler of the specification's build merged two loads of a field, the source's two are kept.
# OWN-*: what is done under the owner lock (spec 6.12).
OWNER = {
    "OWN-FIRST": "U1.ids r1.lm w1.lm r1.id0 r1.id1 r1.id0 w1.id0 w1.cnt0 unlock",
    "OWN-SECOND": "U1.ids r1.lm w1.lm r1.id0 r1.id1 r1.id1 w1.id1 w1.cnt1 r1.ids w1.ids unlock",
    "OWN-SHARING": "U1.ids r1.lm w1.lm r1.id0 r1.id1 r1.id0 w1.id0 w1.cnt0 r1.ids w1.ids unlock",
    "OWN-AGAIN": "U1.ids r1.lm w1.lm r1.id0 r1.cnt0 w1.cnt0 unlock",
    "OWN-UNTRACKED": "U1.ids r1.lm w1.lm r1.id0 r1.id1 unlock",
    "LET-SOME": "U1.ids r1.lm w1.lm r1.id0 r1.cnt0 w1.cnt0 unlock",
    "LET-ALL": "U1.ids r1.lm w1.lm r1.id0 r1.cnt0 w1.cnt0 r1.id0 w1.id0 r1.cnt0 r1.ids w1.ids unlock",
    "LET-SHARED": "U1.ids r1.lm w1.lm r1.id0 r1.cnt0 w1.cnt0 r1.id0 w1.id0 r1.cnt0 r1.cnt1 "
    "r1.ids w1.ids unlock",
    "LET-TRACKED": "U1.ids r1.lm w1.lm r1.id0 r1.cnt0 w1.cnt0 r1.id0 w1.id0 r1.cnt0 r1.cnt1 unlock",
    "LET-UNTRACKED": "U1.ids r1.lm w1.lm r1.id0 r1.id1 r1.cnt0 r1.cnt1 unlock",
}
SHORT = dict(zip(("G0", "RFC", "G1", "G2A", "G2B", "G3", "G4"), GENERATIONS))
# AE-n: reading PG_anon_exclusive of page n, from 6.10 on also its head and the head's page type (spec 5.1).
EXCLUSIVE = {
    "v6.10": r"r\1.head r0.mc r\1.flags",
    **dict.fromkeys(GENERATIONS[4:], r"r\1.head r0.type r\1.flags"),
}

# The situation as in tests/situations.py, order, path, first page, pages; then generations: accesses.
# Anonymous folios of order 1 do not exist, but a page of two is treated as a page of four.
TRACES = """
add_file first | 0 ptes 0 1
G0 RFC G1: U0.mc r0.flags S r0.flags
G2A: r0.flags U0.mc S r0.flags
G2B G3 G4: r0.flags U0.mc r0.mapping S r0.flags

add_file shared | 0 ptes 0 1
G0 RFC G1: U0.mc r0.flags
G2A G2B G3 G4: r0.flags U0.mc r0.flags

add_anon exclusive | 0 ptes 0 1
G0: r0.head U0.mc r0.flags S r0.mapping N0.flags r0.flags
RFC G1: U0.mc r0.flags S r0.mapping N0.flags r0.flags
G2A: r0.flags U0.mc S r0.mapping N0.flags r0.flags
G2B G3 G4: r0.flags U0.mc r0.mapping S N0.flags r0.flags

add_new_anon | 0 folio 0 1
G0: r0.flags w0.flags r0.flags w0.mc S w0.mapping w0.index N0.flags
RFC G1 G2A: r0.flags r0.flags w0.flags w0.mapping w0.index r0.flags w0.mc N0.flags S
G2B G3 G4: r0.flags r0.flags w0.flags w0.mapping w0.index r0.flags w0.mc N0.flags r0.mapping S r0.flags

dup_file shared | 0 ptes 0 1
G0 RFC G1: N0.mc
G2A G2B G3 G4: r0.flags N0.mc

try_dup_anon exclusive | 0 ptes 0 1
G0 RFC G1: AE-0 N0.flags N0.mc
G2A G2B G3 G4: r0.flags AE-0 N0.flags N0.mc

try_dup_anon shared | 0 ptes 0 1
G0 RFC G1: AE-0 N0.mc
G2A G2B G3 G4: r0.flags AE-0 N0.mc

try_share_anon | 0 pte 0 1
G0: F r0.head r0.flags r0.ref N0.flags
RFC G1 G2A G2B G3 G4: F r0.flags r0.ref N0.flags

remove last | 0 ptes 0 1
G0: r0.head r0.flags U0.mc r0.flags r0.mapping S r0.flags
RFC G1: U0.mc r0.flags r0.mapping S r0.flags
G2A: r0.flags U0.mc r0.mapping S r0.mapping
G2B G3 G4: r0.flags U0.mc r0.mapping S

remove shared | 0 ptes 0 1
G0: r0.head r0.flags U0.mc
RFC G1: U0.mc
G2A G2B G3 G4: r0.flags U0.mc

add_file first | 4 ptes 4 2
G0 RFC G1: U4.mc r0.flags U1.npm U5.mc r0.flags U1.npm S r0.flags
G2A: r0.flags U4.mc U1.npm U5.mc U1.npm N1.lm S r0.flags
G2B: r0.flags U4.mc U5.mc U1.npm N1.lm r0.mapping S r0.flags
G3: r0.flags U4.mc U5.mc U1.npm OWN-FIRST r0.mapping S r0.flags r1.nr
G4: r0.flags OWN-FIRST r1.nr r0.mapping S r0.flags r1.nr

add_file first | 4 pte 4 2
G0: r4.head U4.mc r0.flags U1.npm S r0.flags r5.head U5.mc r0.flags U1.npm S r0.flags
RFC G1: U4.mc r0.flags U1.npm S r0.flags U5.mc r0.flags U1.npm S r0.flags
G2A: r0.flags U4.mc U1.npm N1.lm S r0.flags r0.flags U5.mc U1.npm N1.lm S r0.flags
G4: r0.flags OWN-FIRST r1.nr r0.mapping S r0.flags r1.nr r0.flags OWN-AGAIN r0.flags r1.nr

add_file shared | 4 ptes 4 2
G0 RFC G1: U4.mc U5.mc r0.flags
G2A G2B: r0.flags U4.mc U5.mc N1.lm r0.flags
G3: r0.flags U4.mc U5.mc OWN-SECOND r0.flags r1.nr
G4: r0.flags OWN-SECOND r0.flags r1.nr

add_file second | 4 ptes 4 2
G3: r0.flags U4.mc U5.mc OWN-SHARING r0.flags r1.nr

add_file third | 4 ptes 4 2
G3: r0.flags U4.mc U5.mc OWN-UNTRACKED r0.flags r1.nr

add_file again | 4 ptes 4 2
G3: r0.flags U4.mc U5.mc OWN-AGAIN r0.flags r1.nr

add_anon exclusive | 4 ptes 4 2
G0: r4.head U4.mc r0.flags U1.npm S r0.mapping N4.flags r0.flags
  r5.head U5.mc r0.flags U1.npm S r0.mapping N5.flags r0.flags
RFC G1: U4.mc r0.flags U1.npm U5.mc r0.flags U1.npm S r0.mapping N4.flags N5.flags r0.flags
G2A: r0.flags U4.mc U1.npm U5.mc U1.npm N1.lm S r0.mapping N4.flags N5.flags r0.flags
G2B: r0.flags U4.mc U5.mc U1.npm N1.lm r0.mapping S N4.flags N5.flags r0.flags
G3: r0.flags U4.mc U5.mc U1.npm OWN-FIRST r0.mapping S N4.flags N5.flags r0.flags r1.nr
G4: r0.flags OWN-FIRST r1.nr r0.mapping S N4.flags N5.flags r0.flags r1.nr

add_new_anon | 1 folio 0 2
G1: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags w0.mc N0.flags w1.mc N1.flags
  w1.npm S
G2A: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags w0.mc N0.flags w1.mc N1.flags
  w1.lm w1.npm S
G2B: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags w0.mc N0.flags w1.mc N1.flags
  w1.lm w1.npm r0.mapping S r0.flags r1.flags mod
G3: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags w0.mc N0.flags w1.mc N1.flags
  w1.lm w1.cnt0 r1.id0 w1.id0 w1.npm r0.mapping S r0.flags r1.flags mod
G4: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags N0.flags N1.flags
  w1.lm w1.cnt0 r1.id0 w1.id0 r0.mapping S r0.flags r1.flags mod

dup_file shared | 4 ptes 4 2
G0 RFC G1: N4.mc N5.mc
G2A G2B: r0.flags N4.mc N5.mc N1.lm
G3: r0.flags N4.mc N5.mc OWN-SECOND
G4: r0.flags OWN-SECOND

try_dup_anon exclusive | 4 ptes 4 2
G0 G1: AE-4 N4.flags N4.mc AE-5 N5.flags N5.mc
RFC: AE-4 N4.flags N5.flags N4.mc N5.mc
G2A G2B: r0.flags AE-4 N4.flags N4.mc AE-5 N5.flags N5.mc N1.lm
G3: r0.flags AE-4 N4.flags N4.mc AE-5 N5.flags N5.mc OWN-SECOND
G4: r0.flags AE-4 N4.flags AE-5 N5.flags OWN-SECOND

try_dup_anon shared | 4 ptes 4 2
G0 G1: AE-4 N4.mc AE-5 N5.mc
RFC: AE-4 AE-5 N4.mc N5.mc
G2A G2B: r0.flags AE-4 N4.mc AE-5 N5.mc N1.lm
G4: r0.flags AE-4 AE-5 OWN-SECOND

try_share_anon | 4 pte 4 1
G0: F r4.head r0.flags r1.pins N4.flags
RFC G1 G2A G2B G3 G4: F r0.flags r1.pins N4.flags

remove last | 4 ptes 4 2
G0: r4.head r0.flags r1.flags U4.mc r0.flags U1.npm r0.mapping S r0.flags r1.flags
  r5.head r0.flags r1.flags U5.mc r0.flags U1.npm r0.mapping S r0.flags r1.flags
RFC: U4.mc r0.flags U1.npm U5.mc r0.flags U1.npm r0.mapping S r0.flags r1.flags
G1: U4.mc r0.flags U1.npm U5.mc r0.flags U1.npm r0.mapping S r0.flags r0.mapping deferred
G2A: r0.flags N1.lm U4.mc U1.npm U5.mc U1.npm r1.npm r0.mapping S r0.mapping
G2B: r0.flags N1.lm U4.mc U5.mc U1.npm r1.npm r0.mapping S
G3: r0.flags LET-ALL U4.mc U5.mc U1.npm r1.npm r0.mapping S
G4: r0.flags LET-ALL r1.nr r0.mapping S

remove shared | 4 ptes 4 2
G0: r4.head r0.flags r1.flags U4.mc r5.head r0.flags r1.flags U5.mc
RFC G1: U4.mc U5.mc
G2A G2B: r0.flags N1.lm U4.mc U5.mc
G3: r0.flags LET-SHARED U4.mc U5.mc
G4: r0.flags LET-SHARED r1.nr r1.ent r0.mapping r1.flags deferred

remove inside | 4 ptes 4 2
G2A: r0.flags N1.lm U4.mc U1.npm U5.mc U1.npm r1.npm r0.mapping S r0.mapping r2.list deferred
G2B: r0.flags N1.lm U4.mc U5.mc U1.npm r1.npm r0.mapping r1.flags deferred r0.mapping S
G3: r0.flags LET-SOME U4.mc U5.mc U1.npm r1.npm r0.mapping r1.flags deferred r0.mapping S
G4: r0.flags LET-SOME r1.nr r1.ent r0.mapping r1.flags deferred

remove tracked | 4 ptes 4 2
G3: r0.flags LET-TRACKED U4.mc U5.mc

remove third | 4 ptes 4 2
G3: r0.flags LET-UNTRACKED U4.mc U5.mc

add_file first | 9 pmd 0 1
G0: r0.head r0.flags r1.flags U1.ent U1.npm r1.nr r0.flags S S r0.flags
RFC G1: U1.ent U1.npm r1.nr r0.flags S S r0.flags
G2A: U1.ent U1.npm r1.nr N1.lm r0.flags S S r0.flags
G2B: U1.ent U1.npm r0.flags r1.nr N1.lm r0.mapping S r0.mapping r0.flags S r0.flags
G3: U1.ent U1.npm r1.nr OWN-FIRST r0.mapping S r0.mapping r0.flags S r0.flags r1.nr
G4: U1.ent r1.nr OWN-FIRST r1.nr r0.mapping S r0.mapping r0.flags S r0.flags r1.nr

add_new_anon | 9 folio 0 512
G0: r0.flags w0.flags r0.flags r1.flags w1.ent w1.npm r1.nr S S w0.mapping w0.index N0.flags
RFC G1: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags w1.ent w1.npm N0.flags S S
G2A: r0.flags r1.nr r0.flags w0.flags w0.mapping w0.index r0.flags r1.flags w1.ent w1.lm w1.npm N0.flags S S

try_dup_anon exclusive | 9 pmd 0 1
G0 RFC G1: AE-0 N0.flags N1.ent
G2A G2B: AE-0 N0.flags N1.ent N1.lm
G3 G4: AE-0 N0.flags N1.ent OWN-SECOND

remove last | 9 pmd 0 1
G1: U1.ent U1.npm r1.nr r0.mapping S r0.mapping S
G2A: N1.lm U1.ent U1.npm r1.nr r0.mapping S r0.mapping S r0.mapping
G2B: N1.lm U1.ent U1.npm r1.nr r0.mapping S r0.mapping S
G3: LET-ALL U1.ent U1.npm r1.nr r0.mapping S r0.mapping S
G4: U1.ent r1.nr LET-ALL r1.nr r0.mapping S r0.mapping S

hugetlb_add_new_anon | 9 folio 0 512
G0 RFC G1: w1.ent N0.private w0.mapping w0.index N0.flags
G2A G2B G3 G4: w1.ent w1.lm N0.private w0.mapping w0.index N0.flags

hugetlb_try_dup_anon exclusive | 9 folio 0 512
G0 RFC G1: AE-0 N0.flags N1.ent
G2A G2B G3 G4: AE-0 N0.flags N1.ent N1.lm

hugetlb_remove | 9 folio 0 512
G0: r0.head r0.flags r1.flags N1.ent
RFC G1: N1.ent
G2A G2B G3 G4: N1.ent N1.lm
"""
BLOCKS = [block.replace("\n  ", " ").splitlines() for block in TRACES.strip().split("\n\n")]


def written_out(accesses: str, variant: str) -> str:
    """Accesses with the abbreviations replaced."""
    for short, long in OWNER.items():
        accesses = re.sub(rf"\b{short}\b(?!-)", long, accesses)
    return re.sub(r"\bAE-(\d)", EXCLUSIVE.get(variant, r"r\1.flags"), accesses)


@pytest.mark.parametrize(("head", "lines"), [(block[0], block[1:]) for block in BLOCKS])
def test_a_call_touches_the_descriptors_in_the_order_of_the_specification(
    head: str, lines: list[str]
) -> None:
    """Loads, stores and locked operations: no access more, none less, none in another place."""
    words, _, numbers = head.partition(" | ")
    order, path, first, nr = numbers.split()
    for generations, accesses in (line.split(": ") for line in lines):
        for variant in map(SHORT.__getitem__, generations.split()):
            given = situation(words, path, int(first), int(nr))
            found = traced(variant, int(order), given)
            assert found == written_out(accesses, variant), variant
