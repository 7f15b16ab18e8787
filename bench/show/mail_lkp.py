"""Tables as the kernel test robot prints them: %stddev %change %stddev and the metric's name."""

from __future__ import annotations

from bench.judge.stats import Samples, Summary
from bench.show.arms import arms_of, change_words, compared, heads, mark, marked, spread
from bench.show.figures import Figures
from bench.show.report import Section
from bench.show.rows import Row
from bench.show.table import NONE, WIDTH

BEFORE, AFTER = 16, 27  # columns of an arm
HEAD = (
    "-" * BEFORE + " " + "-" * AFTER,
    "%stddev".rjust(BEFORE) + "     %change" + "%stddev".rjust(AFTER - 11),
    "\\  ".rjust(BEFORE) + "         |  " + "\\".rjust(AFTER - 13),
)


def lkp_table(samples: Samples, section: Section) -> str:
    """A metric a folio size; the line of parameters names what is measured."""
    keys = ["call", *(key for key, _ in section.subject.family.keys)]
    values = [section.subject.family.op, *(value for _, value in section.subject.family.keys)]
    if section.subject.variant:
        keys, values = [*keys, "variant"], [*values, section.subject.variant]
    lines = ["=" * WIDTH, "/".join(keys) + ":", "  " + "/".join(values), ""]
    (old, new), rows = heads(section), compared(section)
    lines += [f"{old[:BEFORE]:>{BEFORE}} {new[:AFTER]:>{AFTER}}", *HEAD]
    lines += [_line(samples, row) + mark(section, row) for row in rows]
    return "\n".join([*lines, *marked(section)]) + "\n"


def _line(samples: Samples, row: Row) -> str:
    found = arms_of(row)
    metric = f"{row.label.replace(' ', '.')}.{Figures(samples).unit.replace(' ', '_')}"
    change = f"{change_words(found.comparison):>11}"
    return f"{_cost(samples, found.before)} {change}{_cost(samples, found.after)}  {metric}"


def _cost(samples: Samples, cost: Summary | None) -> str:
    """The cost and, from 1 % on, its deviation."""
    share = round(100 * spread(samples, cost)) if cost else 0
    deviation = f" +-{share:>3}%" if share else ""
    return f"{Figures(samples).plain(cost.value) if cost else NONE:>9}{deviation:<7}"
