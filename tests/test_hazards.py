"""docs/safety.md: every hazard has a cause, a control and a test that exists (R-86); the crisis protocol is published (R-26)."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from bot.settings import ROOT

TEXT = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| *(H-\d+) *\|(.+)\|$", re.M)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
HAZARDS = [(m[1], [cell.strip() for cell in m[2].split("|")]) for m in ROW.finditer(TEXT)]


@cache
def functions(path: str) -> frozenset[str]:
    """The test functions of a file, in classes too."""
    file = ROOT / path
    if not file.exists():
        return frozenset()
    return frozenset(n.name for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def test_there_is_a_hazard_log() -> None:
    assert len(HAZARDS) >= 15
    assert len({h for h, _ in HAZARDS}) == len(HAZARDS)


@pytest.mark.parametrize(("hazard", "cells"), HAZARDS, ids=[h for h, _ in HAZARDS])
def test_every_hazard_has_a_cause_a_control_and_a_test_that_exists(hazard: str, cells: list[str]) -> None:
    """R-86."""
    assert len(cells) == 4, f"{hazard}: hazard, cause, control, tests"
    assert all(cells), hazard
    named = TEST.findall(cells[3])
    assert named, f"{hazard} has no test"
    for path, name in named:
        assert name in functions(path), f"{hazard}: {path}::{name} does not exist"


def test_every_test_named_anywhere_in_the_page_exists() -> None:
    for path, name in TEST.findall(TEXT):
        assert name in functions(path), f"{path}::{name}"


def test_hazards_named_in_tests_are_in_the_log() -> None:
    logged = {h for h, _ in HAZARDS}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for name in re.findall(r"\bH-\d\d\b", file.read_text(encoding="utf-8")):
            assert name in logged, f"{file.name} names {name}"


@pytest.mark.parametrize("heading", ["Design", "Hazard log", "Crisis protocol", "Known limits", "Measured"])
def test_the_page_has_its_parts(heading: str) -> None:
    assert re.search(rf"^## {heading}", TEXT, re.M), heading


@pytest.mark.parametrize("words", ["before anything else", "emergency number", "988", "does not end the chat", "does not assess", "counts?", "no words"])
def test_the_crisis_protocol_is_published(words: str) -> None:
    """R-26."""
    protocol = TEXT.split("## Crisis protocol")[1].split("\n## ")[0]
    assert re.search(words, protocol, re.I), words


def test_the_residual_risk_and_the_missing_reviewer_are_said() -> None:
    """R-86."""
    assert re.search(r"residual\s+risk", TEXT, re.I)
    assert re.search(r"no\s+clinician\s+has", TEXT, re.I)
