"""`lantern eval add`: a conversation becomes a case, in one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bot.conversation import Category
from evals.cases import DATA, DataError, load_cases, parse_case

FILE = "added"


def new_row(turns: Sequence[str], expect: str, why: str, brief: str, twin: str | None, country: str | None, number: int) -> dict[str, object]:
    """The row of a new case.

    Raises:
        DataError: for a category that does not exist.
    """
    labels = [x.strip() for x in expect.split(",") if x.strip()]
    known = {c.value for c in Category}
    if not labels or (wrong := [x for x in labels if x not in known]):
        raise DataError(f"--expect: {', '.join(wrong) if labels else 'empty'} is not a category. Categories: {', '.join(sorted(known))}.")
    row: dict[str, object] = {
        "id": f"added-{number:04d}",
        "author": "maintainer",
        "brief": brief,
        "category": labels[0],
        "attack": None,
        "expect": labels,
        "why": why,
        "turns": list(turns),
    }
    return row | {k: v for k, v in (("twin", twin), ("country", country.upper() if country else None)) if v}


def add_case(turns: Sequence[str], expect: str, why: str, brief: str, twin: str | None, country: str | None, folder: Path = DATA) -> str:
    """Append a case to evals/data/added.jsonl and ask Lantern; what was done, in words.

    Raises:
        DataError: when the case is not well formed or already there.
    """
    cases = load_cases(folder)
    if any(tuple(turns) == c.turns for group in cases.values() for c in group):
        raise DataError("This conversation is a case already.")
    ids = {c.id for group in cases.values() for c in group}
    if twin and twin not in ids:
        raise DataError(f"--twin: there is no case {twin}.")
    number = 1 + max((int(c.id.split("-")[1]) for c in cases.get(FILE, ()) if c.id.startswith("added-")), default=0)
    line = json.dumps(new_row(turns, expect, why, brief, twin, country, number), ensure_ascii=False)
    case = parse_case(line, FILE, len(cases.get(FILE, ())) + 1)
    with (folder / f"{FILE}.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    return f"Added {case.id} to evals/data/{FILE}.jsonl. See what Lantern does with it:  lantern eval --case {case.id}"
