"""Processes beside the measuring ones: answers, refusals, and an end to those that give neither."""

from __future__ import annotations

import sys

import pytest

from bench.errors import BenchError, UsageError
from bench.lanes.model import processes


def does(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Every child does this with its job."""
    source = "\n".join(("import json, sys, time", "job = json.load(sys.stdin)", *lines))
    monkeypatch.setattr(processes.own, "command", lambda *_: [sys.executable, "-c", source])


def asked() -> object:
    """The answer of a child."""
    return processes.answer(processes.start("check", {"number": 7}, interpreted=True), "mine")


def test_a_child_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """In JSON, to the job it was given."""
    does(monkeypatch, "print(json.dumps(job['number']))")
    assert asked() == 7


def test_a_child_that_loops_is_ended_by_the_time_it_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the clock: on a busy machine a job takes long and is right."""
    monkeypatch.setattr(processes, "MOST_CPU", 1)
    does(monkeypatch, "while True: pass")
    with pytest.raises(UsageError, match="mine: gave no answer in 1 s of processor time; does a kernel"):
        asked()
    does(monkeypatch, "time.sleep(1.5)", "print(3)")
    assert asked() == 3


def test_a_child_that_sleeps_for_ever_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock, in the end."""
    monkeypatch.setattr(processes, "TIMEOUT", 0.5)
    does(monkeypatch, "time.sleep(600)")
    with pytest.raises(UsageError, match="try again on a quieter machine"):
        asked()


def test_a_child_that_dies_says_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit code."""
    does(monkeypatch, "raise SystemExit('out of luck')")
    with pytest.raises(BenchError, match="died with exit code 1: out of luck"):
        asked()
