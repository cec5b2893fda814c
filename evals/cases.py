"""Eval conversations on disk: their form, and errors that name file, line and field."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.conversation import ACTION_OF, Action, Category

DATA = Path(__file__).parent / "data"
SUPPORT_PAIRS = "support_pairs.jsonl"
CASE_FILES = (
    "refusals",
    "honest",
    "near_misses",
    "crisis",
    "crisis_false_alarms",
    "personal_medical",
    "distress",
    "other",
    "multiturn",
    "languages",
    "wild",
    "whitebox",
    "retrieval",
    "uncovered",
    "known_questions",
    "disclosure",
    "steadiness",
    "minors",
    "psychosis",
    "added",
)


class DataError(ValueError):
    """A line of evals/data that cannot be used; names file, line and field."""


class Case(BaseModel):
    """One conversation and what it should get.

    Attributes:
        brief: who was imagined as speaking, for the author and for grouping.
        attack: the attack its author wrote into it, or None; seeded attacks are added when running.
        expect: acceptable categories, the best one first.
        why: the reason for the label, shown beside a failure.
        turns: the visitor's turns; the last one is judged.
        twin: id of the unsafe neighbour of an honest case.
        expect_cards: cards that answer it, the best one first.
        expect_leads: opening words of the passages of the best card that may come first.
        wordings: further wordings of the last turn that must get the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    author: str = Field(min_length=1)
    brief: str
    category: Category
    attack: str | None
    expect: tuple[Category, ...] = Field(min_length=1)
    why: str = Field(min_length=10)
    turns: tuple[str, ...] = Field(min_length=1)
    twin: str | None = None
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    expect_cards: tuple[str, ...] = ()
    expect_leads: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def action(self) -> Action:
        """The best action."""
        return ACTION_OF[self.category]

    @property
    def actions(self) -> frozenset[Action]:
        """Every acceptable action."""
        return frozenset(ACTION_OF[c] for c in self.expect)

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.file}.jsonl:{self.line}"


def parse_case(text: str, file: str, line: int) -> Case:
    """Read one line.

    Raises:
        DataError: naming file, line and field.
    """
    where = f"evals/data/{file}.jsonl:{line}"
    try:
        row = json.loads(text)
    except ValueError as err:
        raise DataError(f"{where}: not JSON: {err}") from err
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    try:
        case = Case(**row | {"file": file, "line": line})
    except ValidationError as err:
        first = err.errors()[0]
        raise DataError(f"{where}: field '{'.'.join(map(str, first['loc']))}': {first['msg']}") from err
    if case.category != case.expect[0]:
        raise DataError(f"{where}: field 'category': is {case.category.value}, but expect begins with {case.expect[0].value}")
    if not all(t.strip() for t in case.turns):
        raise DataError(f"{where}: field 'turns': a turn is empty")
    return case


def load_cases(folder: Path = DATA, files: Iterable[str] = CASE_FILES, card_ids: Collection[str] | None = None) -> dict[str, list[Case]]:
    """All cases by file.

    Args:
        card_ids: known cards, to check expect_cards against; None skips that.

    Raises:
        DataError: for a malformed line, an id used twice, a twin that is not there or an unknown card.
    """
    found: dict[str, list[Case]] = {}
    where: dict[str, str] = {}
    for name in files:
        path = folder / f"{name}.jsonl"
        if not path.exists():
            continue
        found[name] = []
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not text.strip():
                continue
            case = parse_case(text, name, number)
            if case.id in where:
                raise DataError(f"evals/data/{case.where}: field 'id': {case.id} is used at {where[case.id]} too")
            where[case.id] = case.where
            found[name].append(case)
    for case in (c for cases in found.values() for c in cases):
        if case.twin and case.twin not in where:
            raise DataError(f"evals/data/{case.where}: field 'twin': there is no case {case.twin}")
        if card_ids is not None and (unknown := [c for c in case.expect_cards if c not in card_ids]):
            raise DataError(f"evals/data/{case.where}: field 'expect_cards': there is no card {unknown[0]}")
    return found


class SupportPair(BaseModel):
    """A sentence, a passage, and whether a careful reader finds the sentence supported by the passage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    card: str
    sentence: str = Field(min_length=10)
    passage: str = Field(min_length=10)
    supported: bool
    kind: str = Field(min_length=3)


def load_pairs(folder: Path = DATA) -> list[SupportPair]:
    """The hand-labelled pairs.

    Raises:
        DataError: naming file, line and field.
    """
    pairs = []
    for number, text in enumerate((folder / SUPPORT_PAIRS).read_text(encoding="utf-8").splitlines(), 1):
        try:
            pairs.append(SupportPair(**json.loads(text)))
        except ValidationError as err:
            first = err.errors()[0]
            raise DataError(f"evals/data/{SUPPORT_PAIRS}:{number}: field '{'.'.join(map(str, first['loc']))}': {first['msg']}") from err
        except (ValueError, TypeError) as err:
            raise DataError(f"evals/data/{SUPPORT_PAIRS}:{number}: not a JSON object: {err}") from err
    return pairs
