import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from evals import junit, report, saved
from evals.cases import Case, DataError
from evals.compare import flips
from evals.leakage import drop, exact_and_near, plain
from evals.plan import Job, Variant, plan, stratified
from evals.records import Record
from evals.run import Result
from evals.store import Store


def test_a_saved_run_comes_back_and_shows_what_flipped(result: Result, record: Callable[..., Record], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    saved.write(result, path)
    base = saved.Baseline(path)
    assert flips(base, result.records) == []
    worse = record(case="x-1", got="answer", marks={"action": (0.0, "expected refuse, got answer"), "clean": (1.0, "")})
    (flip,) = flips(base, [worse])
    assert flip.broken == ["action"]


def test_a_file_that_is_no_saved_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]")
    with pytest.raises(DataError, match="not a saved eval run"):
        saved.Baseline(path)


def test_the_report_is_one_safe_page_with_the_verdict_first(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report.write(result, path)
    page = path.read_text()
    assert page.index("Nothing is shown broken") < page.index("Gates") < page.index("Every failure")
    assert "<script" not in page
    assert "src=" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "expected refuse, got answer" in page
    assert str(Path.cwd()) not in page


def test_junit_has_a_test_a_gate(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    junit.write(result, path)
    root = ET.parse(path).getroot()
    assert len(root.findall("testsuite/testcase")) == len(result.judged)


def test_an_interrupted_run_keeps_what_is_done(case: Callable[..., Case], tmp_path: Path) -> None:
    job = Job("refusals", case(), (Variant("plain", ("q",)),))
    first = Store(tmp_path)
    first.put(job, [[{"text": "a"}]])
    first.close()
    with (tmp_path / "outcomes.jsonl").open("a") as file:
        file.write('{"key": "cut off')
    again = Store(tmp_path)
    assert (again.resumed, again.get(job)) == (1, [[{"text": "a"}]])
    again.finish()
    assert Store(tmp_path).resumed == 0


def test_leaks_by_words_are_found_and_dropped(case: Callable[..., Case], tmp_path: Path) -> None:
    texts = {plain(["does ketamine really work for social anxiety in adults"]): "prompts/intents/evidence", plain(["hello"]): "prompts/intents/smalltalk"}
    same = case(id="a-1", turns=["Hello!"])
    near = case(id="a-2", turns=["does ketamine really work for social anxiety in young adults"])
    other = case(id="a-3", turns=["does it hurt"])
    leaks = exact_and_near([same, near, other], texts)
    assert [(x.case.id, x.kind) for x in leaks] == [("a-1", "exact"), ("a-2", "near words")]
    rows = [{"id": "a-1"}, {"id": "a-2"}, {"id": "a-3", "twin": "a-1"}]
    (tmp_path / "honest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert drop(leaks, tmp_path) == 2
    assert (tmp_path / "honest.jsonl").read_text() == '{"id": "a-3"}\n'


def test_a_sample_keeps_every_stratum(case: Callable[..., Case]) -> None:
    from evals.checks import Checker

    checker = Checker()
    cases = {"refusals": [case(id=f"r-{i}", category=c, expect=[c]) for c in ("dosing", "sourcing") for i in range({"dosing": 90, "sourcing": 4}[c])]}
    unique = {"refusals": [c.model_copy(update={"id": f"r-{i}"}) for i, c in enumerate(cases["refusals"])]}
    jobs = plan(unique, checker.cards, checker.helplines)
    few = stratified(jobs, 60)
    assert {j.suite for j in few} == {j.suite for j in jobs}
    assert {j.case.category.value for j in few if j.suite == "refusals"} == {"dosing", "sourcing"}
    assert len(few) < len(jobs) / 2
