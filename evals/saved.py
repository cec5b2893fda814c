"""A run as JSON: what CI reads and what --compare looks back at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evals.cases import DataError
from evals.gates import Judged
from evals.records import Record
from evals.run import Result

FORMAT = 1


def to_json(result: Result) -> dict[str, Any]:
    """The whole run."""
    return {
        "format": FORMAT,
        "name": result.name,
        "partial": result.partial,
        "good": result.good,
        "started": result.started,
        "seconds": round(result.seconds, 1),
        "product": result.product,
        "samples": result.samples,
        "notes": result.notes,
        "gates": [
            {
                "id": j.gate.id,
                "title": j.gate.title,
                "group": j.gate.group,
                "state": j.state,
                "n": j.n,
                "failures": j.failures,
                "value": round(j.value, 5),
                "low": round(j.low, 5),
                "high": round(j.high, 5),
                "limit": j.limit,
                "kind": j.gate.kind,
            }
            for j in result.judged
        ],
        "records": [r.model_dump(mode="json", exclude_defaults=True) for r in result.records],
    }


def write(result: Result, path: Path) -> None:
    """Save a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_json(result), ensure_ascii=False), encoding="utf-8")


class Baseline:
    """A run read back.

    Raises:
        DataError: when the file is not a saved run.
    """

    def __init__(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}")
            self.started, self.name = str(data["started"]), str(data["name"])
            self.gates: dict[str, dict[str, Any]] = {g["id"]: g for g in data["gates"]}
            self.records = {r.key: r for r in (Record(**row) for row in data["records"])}
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise DataError(f"{path}: not a saved eval run ({err}). Save one with: lantern eval --json {path.name}") from err


def state_of(judged: Judged) -> str:
    """The state as a word."""
    return judged.state
