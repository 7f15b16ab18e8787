"""The machine code of every primitive and call: the locked instructions of the specification, no other."""

from __future__ import annotations

import json
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from kernels.variants import discover
from tests.conftest import Cli
from tests.machine_code import Function, functions
from tests.primitives import OPERATIONS

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the tables name x86-64 instructions"
)

# Processes that compile, of about the same length, each name in one of them.
SHARES = (
    ("v6.7", "rfc-2023-12", "v6.8", "v6.10", "primitives", "driver"),
    ("v6.12", "v6.15", "v6.15-no-page-mapcount", "_template", "_empty"),
)
# What is locked in each primitive (spec section 3); nothing in those that are not here.
PRIMITIVES = {
    "atomic_inc": "incl",
    "atomic_dec": "decl",
    "atomic_add": "addl",
    "atomic_sub": "subl",
    "atomic64_add": "addq",
    "atomic_inc_and_test": "incl",
    "atomic_dec_and_negative": "addl $-1",
    "atomic_add_return": "xaddl",
    "set_bit": "orb",
    "clear_bit": "andb",
    "test_and_set_bit31_lock": "btsq $31",
    "atomic_try_cmpxchg_0_to_1": "cmpxchgl",
    "atomic_dec_and_test": "decl",
    "atomic_sub_and_test": "subl",
    "xchg64": "xchgq",  # locked without the prefix
    "atomic64_try_cmpxchg": "cmpxchgq",
    "smp_mb": "addl $0",
}
# The whole of what a primitive becomes where that matters: flags are used, an old value is not fetched.
BODIES = {
    "atomic_inc": ("lock incl (%rdi)", "retq"),
    "atomic_inc_and_test": ("xorl %eax, %eax", "lock incl (%rdi)", "sete %al", "retq"),
    "atomic_dec_and_negative": ("xorl %eax, %eax", "lock addl $-1, (%rdi)", "sets %al", "retq"),
    "test_and_set_bit31_lock": ("xorl %eax, %eax", "lock btsq $31, (%rdi)", "setb %al", "retq"),
    "clear_bit31_unlock": ("btrq $31, (%rdi)", "retq"),
    "atomic_dec_and_test": ("xorl %eax, %eax", "lock decl (%rdi)", "sete %al", "retq"),
    "atomic_sub_and_test": ("xorl %eax, %eax", "lock subl %edi, (%rsi)", "sete %al", "retq"),
    "smp_mb": ("lock addl $0, -4(%rsp)", "retq"),
    "cpu_relax": ("pause", "retq"),
    "unlikely_path": ("retq",),
    "READ64": ("movq (%rdi), %rax", "retq"),
    "WRITE32": ("movl %esi, (%rdi)", "retq"),
    "WRITE64": ("movq %rsi, (%rdi)", "retq"),
}
# The specification's words for operations of the calls; SET and CLR (PG_anon_exclusive) are below.
WORDS = {
    "INCZ": "incl",
    "DECN": "addl $-1",
    "ADDV": "xaddl",
    "INC": "incl",
    "DEC": "decl",
    "ADD": "addl",
    "SUB": "subl",
    "LOCK": "btsq $31",
    "FENCE": "addl $0",
    "RESERVE": "andb $-2",  # hugetlb's flag in `private`
}
# Which bit of its byte PG_anon_exclusive is: 17 before 6.10, 16 in 6.10, 11 from 6.12 on (spec section 2).
SET_CLR = {
    "v6.7": ("orb $2", "andb $-3"),
    "rfc-2023-12": ("orb $2", "andb $-3"),
    "v6.8": ("orb $2", "andb $-3"),
    "v6.10": ("orb $1", "andb $-2"),
    "v6.12": ("orb $8", "andb $-9"),
    "v6.15": ("orb $8", "andb $-9"),
    "v6.15-no-page-mapcount": ("orb $8", "andb $-9"),
    "_template": ("orb $8", "andb $-9"),
}
# Locked operations of each call (spec sections 6 and 12): 6.7's, then those of the interface since 6.8 in
# G1 (RFC and 6.8), G2 (6.10 and 6.12), G3 (6.15) and G4 (without page mapcounts).
LEGACY = {
    "folio_add_new_anon_rmap": "SET",
    "page_add_anon_rmap": "INCZ ADDV SET",
    "page_add_new_anon_rmap": "SET",
    "page_add_file_rmap": "INCZ ADDV",
    "folio_add_file_rmap_range": "INCZ ADDV",
    "page_dup_file_rmap": "INC",
    "page_try_dup_anon_rmap": "CLR INC",
    "page_try_share_anon_rmap": "FENCE CLR",
    "page_remove_rmap": "DECN ADDV DEC",
    "folio_move_anon_rmap": "",
    "hugepage_add_anon_rmap": "INC SET",
    "hugepage_add_new_anon_rmap": "RESERVE SET",
}
COLUMNS = {
    "rfc-2023-12": 0, "v6.8": 0, "v6.10": 1, "v6.12": 1, "_template": 1, "v6.15": 2,
    "v6.15-no-page-mapcount": 3,
}  # fmt: skip
CALLS = {
    "folio_add_new_anon_rmap": ("SET", "SET", "SET", "SET"),
    "folio_add_anon_rmap_ptes": ("INCZ ADDV SET", "INCZ ADDV ADD SET", "INCZ ADDV LOCK SET", "INCZ LOCK SET"),
    "folio_add_anon_rmap_pmd": ("INCZ ADDV SET", "INCZ ADDV INC SET", "INCZ ADDV LOCK SET", "INCZ LOCK SET"),
    "folio_try_dup_anon_rmap_pte": (None, "CLR INC", "CLR INC LOCK", "CLR INC LOCK"),
    "folio_try_dup_anon_rmap_ptes": ("CLR INC", "CLR INC ADD", "CLR INC LOCK", "CLR INC LOCK"),
    "folio_try_dup_anon_rmap_pmd": ("CLR INC", "CLR INC", "CLR INC LOCK", "CLR INC LOCK"),
    "folio_try_share_anon_rmap_pte": ("FENCE CLR", "FENCE CLR", "FENCE CLR", "FENCE CLR"),
    "folio_try_share_anon_rmap_pmd": ("FENCE CLR", "FENCE CLR", "FENCE CLR", "FENCE CLR"),
    "folio_add_file_rmap_ptes": ("INCZ ADDV", "INCZ ADDV ADD", "INCZ ADDV LOCK", "INCZ LOCK"),
    "folio_add_file_rmap_pmd": ("INCZ ADDV", "INCZ ADDV INC", "INCZ ADDV LOCK", "INCZ LOCK"),
    "folio_dup_file_rmap_pte": (None, "INC", "INC LOCK", "INC LOCK"),
    "folio_dup_file_rmap_ptes": ("INC", "INC ADD", "INC LOCK", "INC LOCK"),
    "folio_dup_file_rmap_pmd": ("INC", "INC ADD", "INC LOCK", "INC LOCK"),
    "folio_remove_rmap_ptes": ("DECN ADDV", "SUB DECN ADDV", "LOCK DECN ADDV", "LOCK DECN"),
    "folio_remove_rmap_pmd": ("DECN ADDV", "DEC DECN ADDV", "LOCK DECN ADDV", "LOCK DECN"),
    "folio_move_anon_rmap": ("", "", "", ""),
    "hugetlb_add_new_anon_rmap": ("RESERVE SET", "RESERVE SET", "RESERVE SET", "RESERVE SET"),
    "hugetlb_add_anon_rmap": ("INC SET", "INC SET", "INC SET", "INC SET"),
    "hugetlb_try_dup_anon_rmap": ("CLR INC", "CLR INC", "CLR INC", "CLR INC"),
    "hugetlb_try_share_anon_rmap": ("FENCE CLR", "FENCE CLR", "FENCE CLR", "FENCE CLR"),
    "hugetlb_add_file_rmap": ("INC", "INC", "INC", "INC"),
    "hugetlb_remove_rmap": ("DEC", "DEC", "DEC", "DEC"),
}
# What is called out of line, and what is locked there (spec sections 4.1 and 4.2).
SIDE_EFFECTS = {
    "lruvec_stat_mod_folio": {"addq"},
    "node_stat_mod_folio": {"addq"},
    "mod_mthp_stat": set(),
    "mlock_folio": set(),
    "munlock_folio": set(),
    "deferred_split_folio": {"cmpxchgl"},
    "deferred_split_folio_partially_mapped": {"cmpxchgl", "orb $1"},
}
ADDING = {"lruvec_stat_mod_folio", "node_stat_mod_folio", "mod_mthp_stat", "mlock_folio"}
REMOVING = {
    "lruvec_stat_mod_folio", "node_stat_mod_folio", "munlock_folio", "deferred_split_folio",
    "deferred_split_folio_partially_mapped",
}  # fmt: skip
VARIANTS = ("v6.7", *COLUMNS)


@dataclass(frozen=True)
class Code:
    """All machine code: name of a variant (or primitives, driver) -> kernel -> functions by their name."""

    groups: dict[str, dict[str, dict[str, Function]]]

    def entry(self, group: str, kernel: str) -> Function:
        """The C entry of a kernel; one that is also known by another name has that name here."""
        (made,) = (f for name, f in self.groups[group][kernel].items() if name.endswith(".0"))
        return made


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Code:
    """Everything compiled from scratch."""

    def compile_all(names: tuple[str, ...]) -> dict[str, dict[str, str]]:
        cli = Cli(tmp_path_factory.mktemp("empty-cache"), tmp_path_factory.mktemp("code"))
        outcome = cli.python("-m", "tests.machine_code", *names)
        assert outcome.code == 0, outcome.err
        texts: dict[str, dict[str, str]] = json.loads(outcome.out)
        return texts

    with ThreadPoolExecutor() as pool:
        groups = {name: texts for share in pool.map(compile_all, SHARES) for name, texts in share.items()}
    return Code({name: {k: functions(text) for k, text in texts.items()} for name, texts in groups.items()})


def expected_of(variant: str) -> dict[str, set[str]]:
    """The instructions that are locked in each call of a variant."""
    words = WORDS | dict(zip(("SET", "CLR"), SET_CLR[variant]))
    calls: dict[str, str | None] = dict(LEGACY)
    if variant != "v6.7":
        calls = {name: row[COLUMNS[variant]] for name, row in CALLS.items()}
    return {name: {words[w] for w in cell.split()} for name, cell in calls.items() if cell is not None}


def test_no_variant_and_no_primitive_is_forgotten(code: Code) -> None:
    """A new one needs a column here before it is believed."""
    assert set(discover(hidden=True)) == {*VARIANTS, "_empty"}
    assert set(code.groups) == {name for share in SHARES for name in share}
    assert set(code.groups["primitives"]) == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_primitive_is_the_instruction_of_the_specification(code: Code, name: str) -> None:
    """That one locked, nothing else, nothing called that it does not name."""
    made = code.entry("primitives", name)
    assert made.locked() == ({PRIMITIVES[name]} if name in PRIMITIVES else set())
    prefixed = name in PRIMITIVES and name != "xchg64"
    assert sum(text.startswith("lock ") for text in made.instructions) == prefixed
    assert made.symbols() == ({"clock_gettime"} if name == "clock_ns" else set())
    assert name not in BODIES or made.instructions == BODIES[name]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_call_locks_what_the_specification_names_and_nothing_else(code: Code, variant: str) -> None:
    """Every function of the variant that has code of its own."""
    found = {call: code.entry(variant, call).locked() for call in code.groups[variant]}
    assert found == expected_of(variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_bit_lock_is_released_without_a_lock(code: Code, variant: str) -> None:
    """Spec 6.12: a plain btr wherever the lock is taken."""
    for call in code.groups[variant]:
        made = code.entry(variant, call)
        unlocks = [text for text in made.instructions if "btrq $31" in text]
        assert bool(unlocks) == ("btsq $31" in made.locked()), call
        assert not any(text.startswith("lock ") for text in unlocks), call


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_call_calls_statistics_and_queues_only(code: Code, variant: str) -> None:
    """Never numba's runtime, Python, a check of bounds or a counter of references."""
    for call in code.groups[variant]:
        adds, removes = "_add_" in call and "huge" not in call, call.startswith(("folio_rem", "page_rem"))
        allowed = ADDING if adds else REMOVING if removes else set()
        calls = code.entry(variant, call).calls()
        assert calls <= allowed, call
        assert not allowed or "lruvec_stat_mod_folio" in calls, call


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_called_out_of_line_locks_what_the_specification_names(code: Code, variant: str) -> None:
    """And calls nothing itself."""
    for parts in code.groups[variant].values():
        for name, made in parts.items():
            base, _, number = name.partition(".")
            if number != "0":
                assert (made.locked(), made.symbols()) == (SIDE_EFFECTS[base], set()), name


def test_an_empty_call_is_a_bare_return(code: Code) -> None:
    """With the result 0 where it has one."""
    for call in code.groups["_empty"]:
        assert code.entry("_empty", call).instructions in (("retq",), ("xorl %eax, %eax", "retq")), call


def test_the_timed_loops_lock_nothing_but_their_controls(code: Code) -> None:
    """The positive control and the yardstick are increments; batch calls the clock."""
    for name in code.groups["driver"]:
        made = code.entry("driver", name)
        assert made.locked() == ({"incl"} if name.startswith("sweep_") else set()), name
        assert made.symbols() == ({"clock_gettime"} if name == "batch" else set()), name


READ = """
rmapbench.f.0:
	xchgl	%eax, (%rdi)
	xchgl	%eax, %ebx
	mfence
	lock		addl	$1, 48(%rdi)
	lock		orb	$2, 2(%rdi)
	#APP
	lock		addl	$0, -4(%rsp)
	#NO_APP
	.p2align	4
.LBB1_2:
	movabsq	$NRT_decref, %rax
	movabsq	$rmapbench.g.7, %rcx
	jmp	PyErr_Clear@PLT
	jne	.LBB1_2
	movzbl	(%rdi), %eax
.Lfunc_end1:
"other name":
	lock		decl	(%rdi)
"""


def test_the_reader_of_assembly_sees_every_lock_and_every_name() -> None:
    """An exchange with memory and a fence count as locked, an exchange of registers does not."""
    (made,) = functions(READ).values()
    assert (made.name, len(made.instructions)) == ("f.0", 11)
    assert made.locked() == {"xchgl", "mfence", "incl", "orb $2", "addl $0"}
    assert made.symbols() == {"NRT_decref", "rmapbench.g.7", "PyErr_Clear"}
    assert made.calls() == {"NRT_decref", "g", "PyErr_Clear"}
