"""Pictures at random: folios of any order side by side, mapped whole, nearly whole or in pieces."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.lanes.model.patterns import LACKED, WRITABLE, Picture, Pte, picture
from kernels.mm_types import VM_SOFTDIRTY

SIZES = (4, 16, 64, 64, 600)  # pages at least; the last fill more than a table
MISSING = (0, 0, 0.01, 0.1, 0.5)  # share of a folio's pages that are not mapped
ODD = (0, 0, 0.01, 0.25)  # share of those mapped whose PTE lacks something
MARKS = tuple(LACKED.values())


def random_picture(rng: random.Random, orders: Sequence[int]) -> Picture:
    """Folios of these orders, with holes and with PTEs that differ."""
    folios = tuple(_folios(rng, sorted(orders), rng.choice(SIZES)))
    ptes = tuple(pte for folio in folios for pte in _ptes(rng, *folio))
    last, order = folios[-1]
    npages, marked = last + (1 << order), rng.choice((0, sum(MARKS)))
    return Picture(npages, folios, ptes, npages, rng.choice((0, VM_SOFTDIRTY)), marked)


def random_alike(rng: random.Random, order: int, kind: str) -> Picture:
    """One to three folios of the order, whole."""
    return picture("full", order, rng.randint(1, 3) << order, kind)


def cut_out(rng: random.Random, drawn: Picture) -> Picture:
    """The same for a scenario that is about a part of it, sometimes; the rest stays as it is."""
    if rng.random() < 0.5:
        return drawn
    begin = rng.randrange(min(drawn.npages, 512))
    return replace(drawn, begin=begin, slots=rng.randint(begin + 1, drawn.npages))


def _folios(rng: random.Random, orders: Sequence[int], npages: int) -> Iterator[tuple[int, int]]:
    """Of any order where it is aligned, else the largest that is."""
    at = 0
    while at < npages:
        aligned = [order for order in orders if at % (1 << order) == 0]
        wanted = rng.choice(orders)
        order = wanted if wanted in aligned else aligned[-1]
        yield at, order
        at += 1 << order


def _ptes(rng: random.Random, first: int, order: int) -> Iterator[Pte]:
    missing, odd = rng.choice(MISSING), rng.choice(ODD)
    for page in range(first, first + (1 << order)):
        if rng.random() >= missing:
            yield Pte(page, page, rng.choice((*MARKS, WRITABLE, sum(MARKS))) if rng.random() < odd else 0)
