"""Case names and filters: what they accept, what they mean, what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.case import KEYS, LEVELS, Case, Filters, natural
from bench.errors import UsageError

REMOVE = Case.of("call", "remove", kind="anon", state="last", variant="v6.12", path="ptes", order=4)
WORDS = st.text("abcxyz019.-_", min_size=1, max_size=8)
CASES = st.builds(
    lambda level, op, order, keys: Case.of(level, op, **{"order": order, **keys}),
    st.sampled_from(LEVELS),
    WORDS,
    st.none() | st.integers(0, 99),
    st.dictionaries(st.sampled_from([key for key in KEYS if key != "order"]), WORDS),
)


def test_a_name_lists_its_keys_in_the_order_of_the_grammar() -> None:
    """The order of the keywords does not matter."""
    name = "call/remove/kind=anon/state=last/variant=v6.12/path=ptes/order=4"
    assert REMOVE.name == name
    assert (
        Case.of("call", "remove", order=4, path="ptes", variant="v6.12", state="last", kind="anon") == REMOVE
    )


@given(CASES)
def test_every_case_is_read_back_from_its_name(case: Case) -> None:
    """Parsing is the inverse of naming."""
    assert Case.parse(case.name) == case


@pytest.mark.parametrize(
    "name",
    [
        "", "call", "call/", "nolevel/remove", "call/remove/order", "call/remove/order=",
        "call/remove/colour=red", "call/remove/order=1/order=2", "=/=", "call//order=4",
        "call/remove/order=:4", "call/remove/order= 4", "call/remove/order=-1",
    ],
)  # fmt: skip
def test_what_is_no_case_name_is_refused(name: str) -> None:
    """The message repeats the name."""
    with pytest.raises(UsageError, match="not a case name"):
        Case.parse(name)


def test_a_group_is_the_name_without_what_is_compared() -> None:
    """Variant, kernel, path and control go; call, kind, state and order stay."""
    assert REMOVE.but(control="twin").group.name == "call/remove/kind=anon/state=last/order=4"


def test_a_filter_on_a_default_matches_cases_that_do_not_write_it() -> None:
    """pattern=full, threads=1, and kind=anon outside call/."""
    fork = Case.of("scenario", "fork", variant="v6.12", path="pte", order=0)
    for word in ("pattern=full", "threads=1", "kind=anon"):
        assert Filters.parse([word]).match(fork)
    assert not Filters.parse(["kind=anon"]).match(Case.of("call", "move", path="folio"))


def test_filters_select_by_operation_and_by_lists_of_values() -> None:
    """Words are alternatives among themselves, keys restrict further."""
    cases = [REMOVE.but(order=order, path=path) for order in (0, 4, 9) for path in ("pte", "ptes")]
    chosen = Filters.parse(["remove", "order=0,4", "path=pte"]).select(cases)
    assert [case.order for case in chosen] == [0, 4]


def test_a_level_is_a_filter_too() -> None:
    """All calls, or all scenarios, without their names."""
    cases = [
        Case.parse("call/remove/order=0"),
        Case.parse("scenario/fork/order=0"),
        Case.parse("call/dup_file"),
    ]
    assert Filters.parse(["call"]).select(cases) == [cases[0], cases[2]]
    assert Filters.parse(["scenario", "dup_file"]).select(cases) == cases[1:]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("colour=red", "unknown filter key 'colour'; valid: kind, state"),
        ("order=7", "unknown order '7'; valid: 0, 4, 10"),
        ("variant=v6.99", "unknown variant 'v6.99'; valid: v6.12"),
        ("unmap", "unknown operation 'unmap'; valid: remove, call"),
    ],
)
def test_an_unknown_word_is_refused_with_the_valid_ones(word: str, message: str) -> None:
    """In natural order: 4 before 10."""
    cases = [REMOVE.but(order=order) for order in (10, 4, 0)]
    with pytest.raises(UsageError) as caught:
        Filters.parse([word]).select(cases)
    assert str(caught.value).startswith(message)


def test_filters_that_exclude_each_other_say_so() -> None:
    """Every word is valid, but no case has all of them."""
    cases = [REMOVE, REMOVE.but(path="pte", order=0)]
    with pytest.raises(UsageError, match="no case has all of: order=0 path=ptes"):
        Filters.parse(["order=0", "path=ptes"]).select(cases)


def test_versions_sort_as_people_count() -> None:
    """v6.8 before v6.10 before v6.15-no-page-mapcount."""
    names = ["v6.15-no-page-mapcount", "v6.10", "v6.8", "v6.15", "rfc-2023-12"]
    assert sorted(names, key=natural)[:3] == ["v6.8", "v6.10", "v6.15"]
