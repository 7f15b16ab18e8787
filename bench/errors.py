"""Every error the program raises on purpose, one class per exit code (README, "Exit codes")."""


class BenchError(Exception):
    """Something the program foresaw: the message says what, where and what to do about it."""

    exit_code = 1


class UsageError(BenchError):
    """A wrong command line, file, variant or setting."""

    exit_code = 2


class LaneUnavailable(BenchError):
    """This machine cannot run the lane that was asked for."""

    exit_code = 4


class Untrusted(BenchError):
    """The figures that were asked for are missing, or their controls failed."""

    exit_code = 6


class TimedOut(BenchError):
    """A time limit of the user's ran out."""

    exit_code = 124


class Interrupted(BenchError):
    """The user or the system asked the program to stop."""

    exit_code = 130


def taken(path: object) -> UsageError:
    """The error for a file that is there already, and is not to be overwritten unasked."""
    return UsageError(f"{path}: exists already; choose another name or overwrite it with --force")


def one_of(what: str, wrong: str, valid: object) -> UsageError:
    """The error for a name that is not among the valid ones, which it lists."""
    names = ", ".join(str(name) for name in valid)  # type: ignore[attr-defined]
    return UsageError(f"unknown {what} {wrong!r}; valid: {names}")
