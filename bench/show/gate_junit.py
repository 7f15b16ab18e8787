"""Verdicts as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from bench.judge.verdict import UNUSABLE, Verdict
from bench.show.gate_lines import Line

SUITE = "rmapbench gate"


def render(found: Sequence[Line], strict: bool = False) -> str:
    """A test case a pair: REGRESSED is a failure, UNTRUSTED an error, INCONCLUSIVE or not judged skipped."""
    cases = [_case(line, strict) for line in found]
    counts = {f"{kind}s": sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error")}
    skipped = sum(case.find("skipped") is not None for case in cases)
    told = {"tests": len(cases), **counts, "skipped": skipped}
    attributes = {key: str(value) for key, value in told.items()}
    suite = ElementTree.Element("testsuite", {"name": SUITE, **attributes})
    suite.extend(cases)
    root = ElementTree.Element("testsuites", {"name": SUITE, **attributes})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(line: Line, strict: bool) -> ElementTree.Element:
    level, _, rest = line.name.partition("/")
    case = ElementTree.Element("testcase", {"classname": f"{SUITE}.{level}", "name": rest or line.name})
    if kind := _kind(line, strict):
        told = ElementTree.SubElement(case, kind, {"message": f"{line.verdict}: {line.said}"})
        if kind != "skipped":
            told.set("type", str(line.verdict))
    ElementTree.SubElement(case, "system-out").text = f"{line.verdict}: {line.said}"
    return case


def _kind(line: Line, strict: bool) -> str:
    """The element that says how the case went; empty if it went well."""
    if not line.judged:
        return "skipped"
    if line.verdict in UNUSABLE:
        return "error"
    if line.verdict == Verdict.INCONCLUSIVE:
        return "failure" if strict else "skipped"
    return "failure" if line.verdict == Verdict.REGRESSED else ""
