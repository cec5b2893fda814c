"""JUnit XML, so that CI shows each gate as a test."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from evals.run import Result
from evals.table import figures


def write(result: Result, path: Path) -> None:
    """One test case a gate; gates that a partial run cannot judge are skipped."""
    suites = ET.Element("testsuites", name=f"lantern eval {result.name}")
    groups: dict[str, ET.Element] = {}
    records = {r.key: r for r in result.records}
    for j in result.judged:
        suite = groups.get(j.gate.group)
        if suite is None:
            suite = groups[j.gate.group] = ET.SubElement(suites, "testsuite", name=j.gate.group)
        case = ET.SubElement(suite, "testcase", classname=f"evals.{j.gate.group.replace(' ', '_')}", name=f"{j.gate.id}: {j.gate.title}")
        measured, needed = figures(j)
        if j.state == "fail":
            failure = ET.SubElement(case, "failure", message=f"{j.failures} of {j.n} failed; shown {measured}, needed {needed}")
            lines = [f"{r.key}: {' / '.join(r.turns)[:200]} → {r.got.value}: {r.marks[j.gate.check][1]}" for k in j.keys[:20] if (r := records.get(k))]
            failure.text = _printable("\n".join(lines))
        elif j.state in ("not shown", "no data"):
            ET.SubElement(case, "skipped", message=f"{j.n} records; {measured}; a part of the suite cannot show this")
    for suite in groups.values():
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _printable(text: str) -> str:
    return "".join(c for c in text if c in "\n\t" or c.isprintable())
