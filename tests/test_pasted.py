"""Commands in a mail: narrow, and the same words for a shell that gets them pasted."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.show.pasted import continued
from bench.show.table import WIDTH

LONG = "v6.1=/somewhere/x_linux-image-6.1.0_6.1.192~2 of 'me'/boot/vmlinuz-6.1.0-56-cloud-amd64/and/more"
SHELL = ["bash", "-c", 'rmapbench() { [ $# = 0 ] || printf \'%s\\0\' "$@"; }; eval "$(cat)"']


def heard(text: str) -> list[str]:
    """The words that a shell hands to the program."""
    done = subprocess.run(SHELL, input=text, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


@pytest.mark.parametrize(
    "words",
    [
        ["run", "-o", "a b.json"],
        ["run", *["order=0,2,4"] * 20],
        ["run", "--kernel", LONG, "--kernel", LONG, "fork", "-o", "x.json"],
        ["run", "y" * 300],
        ["run", "~" * 150],
        ["run", "\\" * 67, ""],
    ],
)
def test_a_command_is_narrow_and_can_be_pasted(words: list[str]) -> None:
    """Between words, within long ones, and with what a shell would take for itself."""
    text = continued(shlex.join(["rmapbench", *words]))
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert heard(text) == words


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200), max_size=4))
def test_any_words_come_through(words: list[str]) -> None:
    """Whatever they hold."""
    text = continued(shlex.join(["rmapbench", *words]))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert heard(text) == words
