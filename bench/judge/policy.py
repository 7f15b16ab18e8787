"""Policy: which difference is tolerated where, read from results/thresholds.toml."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.case import Case, Filters
from bench.errors import UsageError

DEFAULT = Path(__file__).resolve().parents[2] / "results" / "thresholds.toml"
FIGURES = ("time", "instructions", "counts")
LANES = ("model", "live", "vm")
MARGIN_KEYS = ("order-0", "large")
EXCEPTION_KEYS = ("cases", "margin", "reason", "expires", "figure")
REQUIRED = EXCEPTION_KEYS[:4]
MOST = 100.0  # percent; who tolerates more does not need a gate


@dataclass(frozen=True)
class Margin:
    """What is tolerated: a fraction of the base (counts: operations a folio), and why, if it is special."""

    value: float
    reason: str = ""


@dataclass(frozen=True)
class Exemption:
    """An exception of the file: another margin for some cases, with a reason, for a time."""

    filters: Filters
    figure: str
    margin: Margin
    expires: datetime.date


@dataclass(frozen=True)
class Policy:
    """Margins by (figure, lane, size), and exceptions from them."""

    path: Path
    margins: Mapping[tuple[str, str, str], float]
    exemptions: tuple[Exemption, ...]

    def margin(self, figure: str, lane: str, case: Case) -> Margin:
        """The margin of a case; UsageError where the file has none for such figures."""
        for exemption in self.exemptions:
            if exemption.figure == figure and exemption.filters.match(case):
                return exemption.margin
        size = MARGIN_KEYS[case.order > 0]
        if (figure, lane, size) not in self.margins:
            raise UsageError(f"{self.path}: no `{size}` under [{figure}.{lane}]; add it")
        return Margin(self.margins[figure, lane, size])


def load(path: Path | None = None, today: datetime.date | None = None) -> Policy:
    """The policy in a file (default: this tree's); UsageError for anything in it that is not understood."""
    path = path or DEFAULT
    data = _parsed(path)
    _known(path, "", data, (*FIGURES, "exception"))
    margins = {}
    for figure in data.keys() - {"exception"}:
        for lane, table in _table(path, figure, data[figure], LANES).items():
            for size, value in _table(path, f"{figure}.{lane}", table, MARGIN_KEYS).items():
                margins[figure, lane, size] = _margin(path, f"[{figure}.{lane}] {size}", figure, value)
    listed = data.get("exception", [])
    if not isinstance(listed, list):
        raise UsageError(f"{path}: exceptions are written [[exception]], with two brackets")
    today = today or datetime.date.today()
    return Policy(path, margins, tuple(_exemption(path, n, e, today) for n, e in enumerate(listed, 1)))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); name the thresholds with --thresholds FILE"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML ({error}); correct that line") from None


def _table(path: Path, name: str, table: Any, valid: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{path}: `{name}` must be a table, [{name}]")
    _known(path, f" in [{name}]", table, valid)
    return table


def _known(path: Path, where: str, table: Mapping[str, Any], valid: tuple[str, ...]) -> None:
    for key in table:
        if key not in valid:
            raise UsageError(f"{path}: unknown key `{key}`{where}; valid: {', '.join(valid)}")


def _margin(path: Path, where: str, figure: str, value: Any) -> float:
    """A fraction; of counts, a number of operations."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if figure == "counts":
        if not number or value < 0 or value != int(value):
            raise UsageError(f"{path}: {where} = {value!r} is not a number of operations, 0 or more")
        return float(value)
    if not number or not 0 < value <= MOST:
        raise UsageError(
            f"{path}: {where} = {value!r} is not a percentage above 0 and up to {MOST:g}; no measurement "
            "can show a difference to be below 0"
        )
    return float(value) / 100


def _exemption(path: Path, number: int, entry: Any, today: datetime.date) -> Exemption:
    where = f"exception {number}"
    table = _table(path, where, entry, EXCEPTION_KEYS)
    if missing := [key for key in REQUIRED if key not in table]:
        raise UsageError(
            f"{path}: {where} has no `{missing[0]}`; every exception needs {', '.join(REQUIRED)}"
        )
    figure, expires, reason = table.get("figure", "time"), table["expires"], table["reason"]
    if figure not in FIGURES:
        raise UsageError(f"{path}: {where}: unknown figure {figure!r}; valid: {', '.join(FIGURES)}")
    if not isinstance(reason, str) or not reason.strip():
        raise UsageError(f"{path}: {where}: `reason` must say why, in words")
    if type(expires) is not datetime.date:
        raise UsageError(f"{path}: {where}: `expires` must be a date without quotes, such as 2030-01-31")
    if expires < today:
        raise UsageError(
            f"{path}: {where} ({table['cases']!r}: {reason}) expired on {expires}; remove it, or renew it "
            "with a reason that still holds"
        )
    margin = Margin(_margin(path, f"{where}: margin", figure, table["margin"]), reason)
    return Exemption(_filters(path, where, table["cases"]), figure, margin, expires)


def _filters(path: Path, where: str, words: Any) -> Filters:
    if not isinstance(words, str) or not words.split():
        raise UsageError(f'{path}: {where}: `cases` must be filters, such as "remove order=0"')
    try:
        return Filters.parse(words.split())
    except UsageError as error:
        raise UsageError(f"{path}: {where}: {error}") from None
