"""Whatever it is given, the program answers with a sentence and the right exit code, and in time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import strategies as st

from bench import results
from bench.case import KEYS
from bench.cli import COMMANDS
from tests import synthetic
from tests.conftest import ROOT
from tests.fuzzing import AMOUNTS, fuzz, spoiled_bytes, spoiled_json, watched, write
from tests.gated import ZERO

READERS = (
    ["report"], ["report", "--markdown"], ["report", "--json"], ["report", "--style", "lkp"], ["gate"],
    ["report", "--row", "variant", "--col", "path", "--base", "path=pte"],
    ["report", "--base", "path=pte", "--style", "mail"], ["report", "--base", "path=pte", "--json"],
    ["gate", "--json"], ["gate", "--tap"],
)  # fmt: skip
# Commands that would measure or count get a word that no lane knows.
WRONG = "colour=red"
WORDS = st.one_of(
    st.sampled_from([
        "--markdown", "--json", "--style", "mail", "--row", "order", "--col", "path", "--base",
        "path=pte", "--published", "--variants", "--all", "--strict", "--bisect", "--tap",
        "--force", "--help", "--version", "--lane", "model", "--variant", "a=b.py", "--rounds",
        "0", "--seed", "--budget", "nan", "--", "-", "-o", "--thresholds", "--baseline", "--by",
        "--format", "svg", "remove", "order=0", "order=", "=", "==", "variant=v6.12",
        "variant=v6.12,,", "kind=anon", "control=twin", "memory=1GiB", "threads=1", "@x",
        *COMMANDS, *(f"{key}=1" for key in KEYS),
    ]),
    st.text(max_size=10),
)  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small result file."""
    found = synthetic.results([("remove", "anon", "last")], orders=(0, 4), processes=5, rounds=5)
    found.failed = {"call/remove/kind=anon/order=2": "why not"}
    path = tmp_path_factory.mktemp("fuzz") / "run.json"
    results.save(found, path)
    return path.read_text()


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_command_line_is_answered(
    amount: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words of the program in any order, and words of nobody."""
    monkeypatch.chdir(tmp_path)  # `gate --markdown WORD` appends to a file of that name
    path = write(tmp_path / "run.json", text.encode())

    def check(found: tuple[str, list[str]]) -> int:
        command, words = found
        if command in ("run", "count", "check", "try-gate"):
            words = [*words, WRONG]
        elif command in ("report", "gate", "chart", "history", "export"):
            words = [path, *words]
        if command in ("chart", "export", "history") or "--html" in words:
            words = [*words, WRONG]  # these would write
        return watched(command, *words)[0]

    fuzz(amount, st.tuples(st.sampled_from([*COMMANDS, "fly", ""]), st.lists(WORDS, max_size=6)), check)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_result_file_is_answered(amount: int, text: str, tmp_path: Path) -> None:
    """Spoiled in its bytes, in its JSON, or packed and then spoiled."""
    data = text.encode()
    packed = gzip.compress(data, mtime=0)
    files = st.one_of(spoiled_bytes(data), spoiled_json(text), spoiled_bytes(packed))

    def check(found: tuple[bytes, list[str]]) -> int:
        file, (command, *options) = found[0], found[1]
        return watched(command, write(tmp_path / "run.json", file), *options)[0]

    fuzz(amount, st.tuples(files, st.sampled_from(READERS)), check)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_thresholds_are_answered(amount: int, text: str, tmp_path: Path) -> None:
    """The tree's own policy, spoiled, with an exception."""
    path = write(tmp_path / "run.json", text.encode())
    policy = (ROOT / "results/thresholds.toml").read_bytes()
    policy += (
        b'\n[[exception]]\ncases = "remove order=0"\nmargin = 2\nreason = "known"\nexpires = 2999-01-01\n'
    )

    def check(found: bytes) -> int:
        return watched("gate", path, "--thresholds", write(tmp_path / "thresholds.toml", found))[0]

    fuzz(amount, spoiled_bytes(policy), check)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_variant_file_is_answered(amount: int, tmp_path: Path) -> None:
    """The template, spoiled; reading it does not run it."""
    template = (ROOT / "kernels/rmap/_template.py").read_bytes()
    asked = st.sampled_from([*["--variants"] * 3, "variant=mine"])  # the list of cases takes longer

    def check(found: tuple[bytes, str]) -> int:
        file, words = found
        return watched("list", "--variant", f"mine={write(tmp_path / 'mine.py', file)}", words)[0]

    fuzz(amount, st.tuples(spoiled_bytes(template), asked), check)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_baseline_of_counts_is_answered(amount: int, tmp_path: Path) -> None:
    """Against a file of counts that is whole."""
    names = [f"call/remove/kind=anon/state=last/variant=v6.15/path=pte/order={order}" for order in (0, 4)]
    counts = json.dumps({name: dict.fromkeys(ZERO, n) for n, name in enumerate(names)})
    whole = write(tmp_path / "counts.json", counts.encode())
    files = spoiled_bytes(counts.encode()) | spoiled_json(counts)

    def check(found: bytes) -> int:
        return watched("gate", whole, "--baseline", write(tmp_path / "old.json", found))[0]

    fuzz(amount, files, check)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pages", [1]),
        ("pages", 0),
        ("extra_locked", {}),
        ("base", 7),
        ("loops", "many"),
        ("same_code", float("nan")),
    ],
)
def test_metadata_that_makes_no_sense_is_refused_by_name(
    key: str, value: object, text: str, tmp_path: Path
) -> None:
    """What is computed with must be a number, what is compared with a name."""
    tree = json.loads(text)
    tree["benchmarks"][0]["runs"][0]["metadata"][key] = value
    code, _, said = watched("gate", write(tmp_path / "run.json", json.dumps(tree).encode()))
    assert code == 2 and f"metadata {key}" in said


def test_exit_codes_of_bisecting_are_the_gates_alone() -> None:
    """Elsewhere the option does not exist."""
    code, _, said = watched("list", "--bisect")
    assert code == 2 and "--bisect" in said
