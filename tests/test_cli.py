"""The command line as a user meets it: exit codes and one clear sentence for everything that is wrong."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, Outcome

COMMANDS = ("run", "list", "check", "count", "gate", "try-gate", "report", "chart", "export", "env")
QUICK = ("remove", "order=0", "kind=file", "state=shared", "variant=v6.12")


def refused(outcome: Outcome, *words: str) -> None:
    """Exit code 2, nothing on standard output, one sentence with these words on standard error."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("rmapbench: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(cli: Cli, command: str) -> None:
    """Examples begin with the program's name."""
    outcome = cli(command, "--help")
    assert outcome.code == 0
    assert "examples:\n  rmapbench" in outcome.out


def test_help_lists_every_command(cli: Cli) -> None:
    """One line each."""
    text = cli("--help").out
    for command in COMMANDS:
        assert f"\n    {command} " in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fly",), ("invalid choice", "'fly'", "--help")),
        (("run", "--no-such-option"), ("unrecognized arguments: --no-such-option",)),
        (("run", "colour=red"), ("unknown filter key 'colour'", "valid: kind, state")),
        (("run", "order=12"), ("unknown order '12'", "valid: 0, 1, 2")),
        (("run", "variant=v6.99"), ("unknown variant 'v6.99'", "v6.15-no-page-mapcount")),
        (("list", "unmap"), ("unknown operation 'unmap'", "remove")),
        (("run", "--lane", "moon"), ("unknown lane 'moon'", "model")),
        (("check", "v6.99"), ("unknown variant 'v6.99'", "v6.12")),
        (("run", "--rounds", "0"), ("'0' is not a positive whole number",)),
        (("run", "--processes", "many"), ("'many' is not a positive whole number",)),
        (("run", "--budget", "nan"), ("'nan' is not a positive number of seconds",)),
        (("run", "--variant", "mine"), ("expected NAME=FILE",)),
        (("run", "--affinity", "4096"), ("--affinity 4096", "may use CPUs")),
        (("run", "--affinity", "x"), ("--affinity",)),
        (("run", "--resume", "nowhere"), ("nowhere", "no run to resume there")),
        (("gate", "nowhere.json"), ("nowhere.json",)),
        (("gate", "colour=red"), ("unknown filter key 'colour'",)),
        (("gate", "--json", "--tap"), ("not allowed with argument",)),
        (("try-gate",), ("required: -o",)),
        (("try-gate", "-o", "x", "--size", "0"), ("--size 0", "percents above 0")),
        (("report", "nowhere.json"), ("nowhere.json",)),
        (("chart", "nowhere.json"), ("nowhere.json",)),
        (("count", "--against", "nowhere.json"), ("nowhere.json", "cannot be read")),
    ],
)
def test_a_wrong_word_is_refused_with_what_would_be_right(
    cli: Cli, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """Exit code 2 and one sentence."""
    refused(cli(*arguments), *words)


BROKEN = {
    "empty": b"",
    "truncated": b'{"version": "1.0", "benchmarks": [{"runs": [',
    "binary": bytes(range(256)),
    "foreign": b'{"hello": "world"}',
    "list": b"[1, 2, 3]",
    "number": b"42",
    "bad-gzip.json.gz": b"\x1f\x8b\x08\x00broken",
    "no-benchmarks": b'{"version": "1.0", "benchmarks": [], "metadata": {}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("command", ["report", "chart", "gate", "export"])
@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_result_file_is_refused_by_name(cli: Cli, command: str, name: str) -> None:
    """What and where."""
    path = cli.cwd / (name if "." in name else f"{name}.json")
    path.write_bytes(BROKEN[name])
    refused(cli(command, path.name), path.name)


def test_a_huge_file_is_refused_without_reading_it(cli: Cli) -> None:
    """A sparse file of two GiB."""
    path = cli.cwd / "huge.json"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    refused(cli("report", path.name), "huge.json")


def test_an_existing_output_is_never_overwritten_unasked(cli: Cli) -> None:
    """Refused before anything is measured."""
    path = cli.cwd / "out.json"
    path.write_text("precious")
    refused(cli("run", *QUICK, "-o", path.name), "out.json", "exists already", "--force")
    refused(cli("count", *QUICK, "-o", path.name), "out.json", "exists already", "--force")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("where", ["no/such/directory/out.json", "/proc/out.json", "."])
def test_an_output_that_cannot_be_written_is_refused_before_measuring(cli: Cli, where: str) -> None:
    """Missing directory, a place where nobody may write, a directory."""
    refused(cli("run", *QUICK, "-o", where))


@pytest.mark.parametrize("where", ["/proc/nowhere", "/dev/null/cache"])
def test_an_unwritable_cache_directory_is_refused_before_measuring(cli: Cli, where: str) -> None:
    """The message names the variable that helps."""
    refused(cli("run", *QUICK, env={"RMAPBENCH_CACHE_DIR": where}), where, "RMAPBENCH_CACHE_DIR")


def test_a_full_disk_is_one_sentence(cli: Cli) -> None:
    """A limit on file size stands for it: writing fails half-way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        outcome = cli("count", *QUICK, "-o", "counts.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    refused(outcome, "counts.json")
    assert not (cli.cwd / "counts.json").exists()


def test_a_closed_pipe_ends_the_program_quietly(cli: Cli) -> None:
    """`rmapbench list | head -1`."""
    script = f"set -o pipefail; {sys.executable} -m bench list | head -1"
    outcome = cli.python(
        "-c", f"import subprocess; raise SystemExit(subprocess.call(['bash', '-c', {script!r}]))"
    )
    assert outcome.out.startswith("call/")
    assert "Traceback" not in outcome.err


def test_list_shows_cases_that_filters_select(cli: Cli) -> None:
    """Full names, one a line."""
    lines = cli("list", "remove", "order=4", "kind=file", "state=last", "variant=v6.12").out.splitlines()
    name = "call/remove/kind=file/state=last/variant=v6.12/path={}/order=4"
    assert lines == [name.format("pte"), name.format("ptes")]


def test_what_never_existed_is_not_listed(cli: Cli) -> None:
    """No order-4 anonymous folio in 6.7, no order-1 file folio before 6.9, no order-1 anonymous one."""
    names = cli("list").out.splitlines()
    assert not [n for n in names if "variant=v6.7/" in n and "kind=anon" in n and "order=4" in n]
    assert not [n for n in names if "variant=v6.8/" in n and "order=1" in n]
    assert not [n for n in names if "kind=anon" in n and n.endswith("order=1")]
    assert [n for n in names if "variant=v6.10/" in n and "kind=file" in n and n.endswith("order=1")]


def test_list_names_every_variant(cli: Cli) -> None:
    """With its base and what it is."""
    text = cli("list", "--variants").out
    for name in ("v6.7", "rfc-2023-12", "v6.8", "v6.10", "v6.12", "v6.15", "v6.15-no-page-mapcount"):
        assert f"{name} " in text


def test_list_as_json_has_names_and_keys(cli: Cli) -> None:
    """Of cases and of variants."""
    words = ("list", "remove", "order=4", "kind=file", "state=last", "path=ptes", "variant=v6.12", "--json")
    (case,) = json.loads(cli(*words).out)
    assert (case["level"], case["operation"], case["order"]) == ("call", "remove", "4")
    assert case["name"].startswith("call/remove/kind=file/")
    bases = {found["name"]: found["base"] for found in json.loads(cli("list", "--variants", "--json").out)}
    assert bases["v6.12"] == "v6.10" and bases["v6.7"] == "-"


def test_nothing_is_written_beside_what_was_asked_for(cli: Cli) -> None:
    """Commands that only read leave the directory as it was."""
    for arguments in (("list",), ("env",), ("count", *QUICK)):
        assert cli(*arguments).code == 0
    assert list(cli.cwd.iterdir()) == []


def _template() -> str:
    return (Path(__file__).parent.parent / "kernels/rmap/_template.py").read_text()


VARIANTS = {
    "syntax error": ("def broken(:\n", ("mine.py:1",)),
    "exception at import": ('"""Mine."""\nBASE = "v6.12"\nx = 1 / 0\n', ("mine.py:3", "ZeroDivisionError")),
    "missing function": (
        '"""Mine."""\nfrom kernels.mm_types import *\nBASE = "v6.12"\nLAYOUT = LAYOUT_V6_12\n',
        ("mine.py", "folio_add_new_anon_rmap"),
    ),
    "unknown base": ('"""Mine."""\nBASE = "v9.9"\n', ("mine.py", "v9.9", "v6.12")),
    "no text": ("", ("mine.py",)),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(VARIANTS))
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_variant_file_that_cannot_be_used_is_refused_with_file_and_line(
    cli: Cli, command: str, what: str
) -> None:
    """Exit code 2, no traceback."""
    text, words = VARIANTS[what]
    (cli.cwd / "mine.py").write_text(text)
    refused(cli(command, "--variant", "mine=mine.py"), *words)


def test_a_wrong_prototype_is_refused_with_the_right_one(cli: Cli) -> None:
    """The decorator compares argument names."""
    text = _template().replace(
        "def folio_remove_rmap_ptes(folio, page, nr_pages, vma)",
        "def folio_remove_rmap_ptes(folio, page, vma)",
    )
    (cli.cwd / "mine.py").write_text(text)
    refused(cli("check", "--variant", "mine=mine.py"), "mine.py:", "void (folio, page, nr_pages, vma)")


def test_a_variant_file_that_does_not_exist_is_refused(cli: Cli) -> None:
    """By name."""
    refused(cli("list", "--variant", "mine=nowhere.py"), "nowhere.py")


def test_a_variant_cannot_take_a_built_in_name(cli: Cli) -> None:
    """It would hide the generation it is compared with."""
    (cli.cwd / "mine.py").write_text(_template())
    refused(cli("list", "--variant", "v6.12=mine.py"), "v6.12")
