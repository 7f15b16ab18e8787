"""Boots: what a case took in each boot of two files; a kernel's unit of repetition is its boot."""

from __future__ import annotations

from dataclasses import dataclass

from bench.judge.stats import Sample

LEAST_BOOTS = 4  # a side, for a verdict: four against four, the ranks' smallest p is 1 in 70


@dataclass(frozen=True)
class Boots:
    """Figures of a case, one a boot, in seconds (a billionth is an instruction) per base page."""

    base: tuple[float, ...]
    new: tuple[float, ...]

    @classmethod
    def of(cls, base: Sample, new: Sample) -> Boots:
        """The boots of both."""
        return cls(*(tuple(sample.medians.values()) for sample in (base, new)))

    @property
    def number(self) -> tuple[int, int]:
        """Of base and new."""
        return len(self.base), len(self.new)

    @property
    def enough(self) -> bool:
        """For a verdict?"""
        return min(self.number) >= LEAST_BOOTS

    @property
    def repeatability(self) -> float:
        """Half the range over boots as a fraction of the middle, of the side that repeats worse."""
        return max((max(side) - min(side)) / (max(side) + min(side)) for side in (self.base, self.new))

    @property
    def more(self) -> bool:
        """Does every boot of the new kernel take more than every boot of the base?"""
        return min(self.new) > max(self.base)
