"""How charts look: colours and markers by arm, grids of panels with a legend outside, files."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.case import Case
from bench.errors import UsageError, taken
from bench.judge.estimate import Interval
from bench.results import Results
from bench.show import contpte
from bench.show.rows import GENERATIONS
from bench.show.table import size

# Okabe and Ito's palette, told apart by the colour-blind; its yellow is too pale for lines on white, so
# grey and wine stand for users' variants. Markers and lines tell arms apart in print.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY, WINE = "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C", "#882255"
PANEL = (3.6, 2.6)  # inches
COLUMNS = 4  # of panels, at most
TITLE_CHARACTERS = 12  # an inch
LEGEND_CHARACTER, LEGEND_HANDLE = 0.075, 0.5  # inches
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "rmapbench",  # ids in the file would else be random
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}

Line = str | tuple[int, tuple[float, ...]]  # dashes, as matplotlib knows them


@dataclass(frozen=True)
class Style:
    """How one arm is drawn, in every chart."""

    color: str
    marker: str
    line: Line
    label: str


PATHS = {
    "pte": Style(VERMILION, "o", "-", "per-page (pte)"),
    "ptes": Style(BLUE, "s", "--", "batched (ptes)"),
    "pmd": Style(GREEN, "^", ":", "PMD-mapped (pmd)"),
    "folio": Style(BLACK, "D", "-.", "one call a folio (folio)"),
    "scan-first": Style(WINE, "X", ":", "scan first (contpte v3)"),
}
_GENERATION_COLORS = (BLACK, ORANGE, SKY, GREEN, PURPLE, BLUE, VERMILION)
_MARKERS = "vP<>XsoD^*h8"
# One for each generation, so that two that meet in a monochrome print differ.
_LINES: tuple[Line, ...] = (
    "-", "--", "-.", ":", (0, (6, 1.5)), (0, (4, 1.2, 1, 1.2)), (0, (2, 1.2)), (0, (7, 1, 1, 1, 1, 1)),
)  # fmt: skip


def style_of_path(path: str) -> Style:
    """An arm by its path."""
    return PATHS.get(path, Style(GREY, "X", "-", path))


def style_of_variant(variant: str, others: Sequence[str] = ()) -> Style:
    """An arm by its variant; users' variants, all among `others`, follow the generations."""
    users = sorted(set(others) | {variant}, key=str) if variant not in GENERATIONS else []
    users = [user for user in users if user not in GENERATIONS]
    index = GENERATIONS.index(variant) if not users else len(GENERATIONS) + users.index(variant)
    color = _GENERATION_COLORS[index] if index < len(_GENERATION_COLORS) else (WINE, GREY)[index % 2]
    return Style(color, _MARKERS[index % len(_MARKERS)], _LINES[index % len(_LINES)], variant)


def canvas(width: float, height: float, title: str) -> Figure:
    """An empty figure of that many inches, with a title that fits."""
    figure = Figure((width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(textwrap.fill(title, int(TITLE_CHARACTERS * width)), fontsize=10)
    return figure


def panels(count: int, title: str, height: float = PANEL[1]) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes in a grid with few gaps, room for a legend below."""
    columns = min(count, COLUMNS if -count % COLUMNS <= -count % (COLUMNS - 1) else COLUMNS - 1)
    rows = math.ceil(count / columns)
    figure = canvas(max(PANEL[0] * columns, 5.0), height * rows + 0.9, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def legend(figure: Figure, axes: Iterable[Axes]) -> None:
    """One legend for all panels, below them."""
    found: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels()):
            found.setdefault(label, handle)
    widest = max(1.75, max(map(len, found), default=0) * LEGEND_CHARACTER + LEGEND_HANDLE)
    columns = max(1, min(len(found), int(figure.get_figwidth() / widest)))
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns)


def folio_axis(axes: Axes, orders: Sequence[int]) -> None:
    """Folio sizes along the x axis, order 0 marked by a shade."""
    few = orders if len(orders) <= 10 else orders[::2]
    axes.set_xticks(few, [size(order) for order in few], fontsize=6)
    axes.set_xlim(min(orders) - 0.5, max(orders) + 0.5)
    axes.grid(axis="x", visible=False)
    if 0 in orders:
        axes.axvspan(-0.5, 0.5, color="#F3EDDD", zorder=0, linewidth=0, label="order 0")


def ribbon(axes: Axes, style: Style, intervals: Mapping[int, Interval | None], scale: float = 1) -> None:
    """The intervals of a line over folio orders, in its colour."""
    bounds = [(order, found) for order, found in sorted(intervals.items()) if found]
    low, high = [scale * found.low for _, found in bounds], [scale * found.high for _, found in bounds]
    x = [order for order, _ in bounds]
    axes.fill_between(x, low, high, color=style.color, alpha=0.25, zorder=2, linewidth=0)


def mark_contpte(axes: Axes, results: Results, cases: Iterable[Case]) -> None:
    """A shade over the folio sizes, of those drawn, whose PTEs a kernel folds."""
    if contpte.folds(results, cases := list(cases)):
        first, last = contpte.FIRST_ORDER - 0.5, max(case.order for case in cases) + 0.5
        said = f"contpte: PTEs folded by 16 ({contpte.MACHINE})"
        axes.axvspan(first, last, color="#E6F1EC", zorder=0, linewidth=0, label=said)


def save(figure: Figure, path: Path, force: bool) -> Path:
    """Write the figure; UsageError if the file exists and `force` is not given, or cannot be written."""
    if path.exists() and not force:
        raise taken(path)
    metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {"Software": "rmapbench"}
    try:
        with matplotlib.rc_context(SETTINGS):
            figure.savefig(path, metadata=metadata)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another directory") from None
    return path
