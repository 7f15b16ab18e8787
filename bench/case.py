"""Case: the name of one thing measured, as `level/op/key=value/...`, and filters over such names."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from bench.errors import UsageError, one_of

KEYS = (
    "kind", "state", "pattern", "variant", "kernel", "machine",
    "path", "order", "memory", "threads", "control",
)  # fmt: skip
LEVELS = ("call", "scenario", "live", "vm")
# What a missing key stands for; `kind` has a default outside `call/` only.
DEFAULTS = {
    "pattern": "full", "threads": "1", "kind": "anon", "memory": "hot", "machine": platform.machine(),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One thing measured; `keys` holds (key, value) pairs in the order of KEYS."""

    level: str
    op: str
    keys: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, level: str, op: str, **keys: object) -> Case:
        """Build a case from keyword keys; None values are left out."""
        unknown = set(keys) - set(KEYS)
        if unknown:
            raise one_of("key", sorted(unknown)[0], KEYS)
        chosen = ((key, keys[key]) for key in KEYS if keys.get(key) is not None)
        return cls(level, op, tuple((key, str(value)) for key, value in chosen))

    @classmethod
    def parse(cls, name: str) -> Case:
        """The case called `name`; UsageError if it does not follow the grammar."""
        level, _, rest = name.partition("/")
        op, *pairs = rest.split("/")
        keys = dict(pair.partition("=")[::2] for pair in pairs)
        wellformed = level in LEVELS and op and len(keys) == len(pairs) and all(keys.values())
        if not wellformed or set(keys) - set(KEYS) or not _is_number(keys.get("order", "0")):
            raise UsageError(f"{name!r} is not a case name (level/op/key=value/...); see `rmapbench list`")
        return cls.of(level, op, **keys)

    @cached_property
    def name(self) -> str:
        """The full name, the one used as benchmark name in result files."""
        return "/".join([self.level, self.op, *(f"{key}={value}" for key, value in self.keys)])

    def get(self, key: str, default: str = "") -> str:
        """The value of `key` as written in the name, or `default`."""
        return dict(self.keys).get(key, default)

    def meaning(self, key: str) -> str:
        """The value of `key` including what its absence stands for."""
        if key == "kind" and self.level == "call":
            return self.get(key)
        if (key == "memory" and self.level != "scenario") or (key == "machine" and self.level != "vm"):
            return self.get(key)
        return self.get(key, DEFAULTS.get(key, ""))

    def but(self, **keys: object) -> Case:
        """This case with some keys changed; None removes a key."""
        return Case.of(self.level, self.op, **{**dict(self.keys), **keys})

    def of_other(self, name: str) -> Case:
        """This case of another implementation: a kernel where it has one, else a variant."""
        return self.but(**{"kernel" if self.get("kernel") else "variant": name or None})

    @cached_property
    def order(self) -> int:
        """Folio order; 0 where the name has none."""
        return int(self.get("order", "0"))

    @cached_property
    def group(self) -> Case:
        """What the case is compared within: its name without variant, kernel, path and control."""
        return self.but(variant=None, kernel=None, path=None, control=None)


def _is_number(text: str) -> bool:
    """Digits and nothing else: int() takes blanks, signs and underscores too."""
    return text.isascii() and text.isdecimal()


@dataclass(frozen=True)
class Filters:
    """What the command line selects: bare words name operations or levels, `key=a,b` the values of a key."""

    ops: tuple[str, ...] = ()
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str]) -> Filters:
        """Filters from the words of a command line; UsageError for a key that does not exist."""
        ops: list[str] = []
        keys: dict[str, tuple[str, ...]] = {}
        for word in words:
            key, equals, values = word.partition("=")
            if not equals:
                ops.append(word)
            elif key not in KEYS:
                raise one_of("filter key", key, KEYS)
            else:
                keys[key] = keys.get(key, ()) + tuple(values.split(","))
        return cls(tuple(ops), tuple(keys.items()))

    def __bool__(self) -> bool:
        return bool(self.ops or self.keys)

    def values(self, key: str) -> tuple[str, ...]:
        """The values asked for of `key`, empty if it is not filtered on."""
        return dict(self.keys).get(key, ())

    def each(self, keys: Iterable[str]) -> Iterator[Filters]:
        """These filters on operations and some keys, once for every word, which stands alone in its place."""
        kept = {key: values for key, values in self.keys if key in keys}
        for op in self.ops:
            yield Filters((op,), tuple(kept.items()))
        for key, values in kept.items():
            for value in values:
                yield Filters(self.ops, tuple({**kept, key: (value,)}.items()))

    def match(self, case: Case) -> bool:
        """Is the case among those selected?"""
        if self.ops and not {case.op, case.level} & set(self.ops):
            return False
        return all(case.meaning(key) in values for key, values in self.keys)

    def select(self, cases: Iterable[Case]) -> list[Case]:
        """The selected cases; UsageError naming the valid values if a word selects nothing."""
        cases = list(cases)
        self._check_words(cases)
        chosen = [case for case in cases if self.match(case)]
        if not chosen:
            raise UsageError("no case has all of: " + " ".join(self.words()) + "; see `rmapbench list`")
        return chosen

    def words(self) -> list[str]:
        """As the command line has them."""
        return [*self.ops, *(f"{key}={','.join(values)}" for key, values in self.keys)]

    def _check_words(self, cases: list[Case]) -> None:
        ops = [*sorted({case.op for case in cases}), *sorted({case.level for case in cases})]
        for op in self.ops:
            if op not in ops:
                raise one_of("operation", op, ops)
        for key, values in self.keys:
            valid = sorted({case.meaning(key) for case in cases} - {""}, key=natural)
            for value in values:
                if value not in valid:
                    raise one_of(key, value, valid)


ALL = Filters()  # selects everything


def natural(text: str) -> tuple[object, ...]:
    """Sort key that puts 2 before 10 and v6.8 before v6.12."""
    parts: list[object] = []
    for piece in text.replace("-", ".").replace("v", "").split("."):
        parts.append((0, int(piece), "") if piece.isdigit() else (1, 0, piece))
    return tuple(parts)
