"""A mutant that few conversations do not give away meets more of them; what was found is kept after each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals import mutation
from evals.mutation import SAMPLES, Noticed
from evals.run import CouldNotRun, Options


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, int]]:
    """What was asked: (mutant, number of conversations); one mutant shows among few, another among many, a third never."""
    calls: list[tuple[str | None, int]] = []

    def records(jobs: Sequence[Any], checker: Any, mutant: str | None, workers: int, tick: Callable[[], None]) -> list[tuple[str | None, int]]:
        calls.append((mutant, len(jobs)))
        return [(mutant, len(jobs))]

    def notices(gate: str, sound: Any, crippled: Sequence[tuple[str, int]]) -> Noticed | None:
        mutant, size = crippled[0]
        return Noticed(gate, 1.0, 0.0, 9) if mutant == "no_rules" or (mutant == "no_memory" and size == SAMPLES[1][0]) else None

    monkeypatch.setattr(mutation, "Checker", lambda: None)
    monkeypatch.setattr(mutation, "load_gates", lambda: ["a-gate"])
    monkeypatch.setattr(mutation, "prepare", lambda options, checker: [])
    monkeypatch.setattr(mutation, "sample", lambda jobs, size, least: range(size))
    monkeypatch.setattr(mutation, "names", lambda only: ["no_rules", "no_memory", "no_windows"])
    monkeypatch.setattr(mutation, "_records", records)
    monkeypatch.setattr(mutation, "notices", notices)
    return calls


def test_only_what_went_unnoticed_meets_more(asked: list[tuple[str | None, int]], tmp_path: Path) -> None:
    few, many = SAMPLES[0][0], SAMPLES[1][0]
    assert mutation.main(Options(), tmp_path / "out.json", None, lambda *_: None)
    assert asked == [(None, few), ("no_rules", few), ("no_memory", few), ("no_windows", few), (None, many), ("no_memory", many), ("no_windows", many)]
    found = json.loads((tmp_path / "out.json").read_text())
    assert {name: bool(row["noticed_by"]) for name, row in found.items()} == {"no_rules": True, "no_memory": True, "no_windows": False}


def test_all_noticed_is_no_failure(asked: list[tuple[str | None, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "names", lambda only: ["no_rules"])
    assert not mutation.main(Options(), None, None, lambda *_: None)
    assert len(asked) == 2


def test_an_unknown_mutant_is_named() -> None:
    with pytest.raises(CouldNotRun, match="no mutant x"):
        mutation.main(Options(), None, "x", lambda *_: None)
