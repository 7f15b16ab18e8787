"""The command line: parse, hand over to the command, turn errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from bench import completion
from bench.errors import BenchError, Interrupted, UsageError

# name -> what it is for; each is a module of bench.commands with configure(parser) and run(args).
COMMANDS = {
    "run": "measure cases, print the table, save a pyperf file and charts",
    "list": "list the cases that exist",
    "check": "compare variants with the oracle and the invariants",
    "count": "count locked operations, loads, stores, lines and statistics calls",
    "gate": "judge what was measured, or measure and judge; the exit code says the verdict",
    "try-gate": "measure how often the gate is wrong on this machine",
    "report": "print tables from a result file",
    "chart": "draw charts from a result file",
    "history": "follow the same pairs over many result files",
    "export": "write results in other tools' formats",
    "env": "say what about this machine makes figures unreliable",
}
PROGRAM = "rmapbench"
DESCRIPTION = (
    "What does handling the reverse mapping of a folio in one batch (_ptes) do, against one call per "
    "page (_pte), to order-0 folios and to every mTHP size? Without arguments: measure the main calls."
)
BISECT = "--bisect"  # of `gate`: exit codes as `git bisect run` reads them


def main(argv: Sequence[str]) -> int:
    """Run the program with these arguments; the exit code."""
    code = _guarded(argv)
    if list(argv[:1]) != ["gate"] or BISECT not in argv:
        return code
    # To git, 1 to 124 mean bad: only a regression may be among them. 125: this commit cannot be judged.
    return {0: 0, 3: 1}.get(code, 125)


def _guarded(argv: Sequence[str]) -> int:
    try:
        return _dispatch(list(argv))
    except BenchError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", Interrupted.exit_code)
    except BrokenPipeError:
        # Whoever read the output went away; that is no error, but flushing at exit would say one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}", UsageError.exit_code)
    except Exception:
        traceback.print_exc()
        return _fail("an error inside the program, not of yours; please report the lines above", 1)


def _dispatch(argv: list[str]) -> int:
    if completion.asked():
        completion.answer(parser_of(completion.command_asked()))
    if not argv:
        argv = ["run", "--main"]
    parser = parser_of(argv[0])
    args = parser.parse_args(argv)
    code = int(args.handler(args))
    sys.stdout.flush()
    return code


def parser_of(command: str) -> argparse.ArgumentParser:
    """The program's parser; only the command that is asked for is imported."""
    parser = _Parser(prog=PROGRAM, description=DESCRIPTION, epilog="exit codes: see README, 'Exit codes'")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(metavar="command", required=True, parser_class=_Command)
    for name, purpose in COMMANDS.items():
        sub = commands.add_parser(
            name, help=purpose, description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == command:
            module = importlib.import_module(f"bench.commands.{name.replace('-', '_')}")
            module.configure(sub)
            sub.set_defaults(handler=module.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Errors are one sentence with exit code 2, like all others; no abbreviations: scripts stay valid."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise instead of printing the usage."""
        raise UsageError(f"{message}; see {self.prog} --help")


class _Command(_Parser):
    """A command's parser: options may stand between FILE and filters, in any order."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's own, whose intermixed form calls this again."""
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "(not installed)"


def _fail(message: str, code: int) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return code


def console() -> None:
    """Entry point of the console script."""
    sys.exit(main(sys.argv[1:]))
