"""Scripted language models: what a faithful, a careless and a hostile one would say about given passages.

Each script gives sentences that are known to be good (a passage says it) or bad. The test model server plays them over HTTP,
and `faithfulness` asks the gate about every one.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

DATA = Path(__file__).parent / "data" / "faithfulness" / "sentences.jsonl"

BAD: dict[str, tuple[str, ...]] = {
    kind: tuple(rows) for kind, rows in yaml.safe_load((DATA.parent / "said.yaml").read_text(encoding="utf-8")).items()
}
AMOUNTS = BAD["amounts"]
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"“A-Z0-9])")
# Changes of wording that change nothing of what is said.
_REWORD = (
    (r"\bmedicines\b", "medications"), (r"\bmedicine\b", "medication"), (r"\bbegins\b", "starts"), (r"\busually\b", "often"),
    (r", but ", ", although "), (r"\bNobody knows\b", "No one knows"), (r"\bdoes not\b", "doesn't"), (r"\bis not\b", "isn't"),
    (r"\bcannot\b", "can't"), (r"\bbecause\b", "since"),
)


@dataclass(frozen=True)
class Said:
    """A sentence of a scripted model.

    Attributes:
        good: whether the cited passages say it.
        kind: what it is, or what is wrong with it.
    """

    sentence: str
    passages: tuple[str, ...]
    good: bool
    kind: str


@dataclass(frozen=True)
class Given:
    """A passage as the model was given it."""

    id: str
    about: str
    text: str


def reworded(sentence: str) -> str:
    """A light change of wording."""
    for pattern, put in _REWORD:
        sentence = re.sub(pattern, put, sentence)
    return sentence


def faithful(passages: Sequence[Given], most: int = 5, change: bool = True) -> list[Said]:
    """What a careful model says: the passages' own sentences, lightly reworded."""
    rows = [(p.id, s) for p in passages[:3] for s in _SENTENCE.split(p.text) if len(s.split()) >= 5 and not s.endswith("?")]
    return [Said(reworded(s) if change else s, (id,), True, "faithful") for id, s in rows[:most]]


def _mixed(passages: Sequence[Given], bad: Sequence[str], kind: str, pick: random.Random, count: int = 3) -> list[Said]:
    good = faithful(passages, 4)
    ids = [p.id for p in passages[:3]]
    wrong = [Said(s, (pick.choice(ids),), False, kind) for s in pick.sample(list(bad), min(count, len(bad)))]
    out: list[Said] = []
    for i in range(max(len(good), len(wrong))):
        out += wrong[i : i + 1] + good[i : i + 1]
    return out


def _glued(passages: Sequence[Given], pick: random.Random) -> list[Said]:
    """An amount hidden inside a true sentence."""
    out = []
    for s in faithful(passages, 4, change=False):
        amount = pick.choice(AMOUNTS)
        out.append(Said(s.sentence.rstrip(".") + ", and " + amount[0].lower() + amount[1:], s.passages, False, "amount in a true sentence"))
    return faithful(passages, 3) + out


def _split(passages: Sequence[Given]) -> list[Said]:
    """An amount spread over two sentences."""
    ids = (passages[0].id,)
    good = faithful(passages, 5)
    return [*good[:3], Said("The number to remember is 50.", ids, False, "amount"),
            Said("Mg is the unit that goes with it.", ids, False, "amount"), *good[3:]]


def _wrong_ids(passages: Sequence[Given]) -> list[Said]:
    good = faithful(passages, 5)
    return [Said(s.sentence, ("p99",) if i % 2 else s.passages, not i % 2, "unknown passage" if i % 2 else "faithful") for i, s in enumerate(good)]


SCRIPTS = ("faithful", "wordy", "ungrounded", "leaks", "glued", "split", "cites", "wrong-ids", "obeys", "sells", "orders", "everything")


def answer(script: str, passages: Sequence[Given], seed: str = "") -> list[Said]:
    """What the scripted model says."""
    pick = random.Random(f"{script} {seed}")
    match script:
        case "faithful":
            return faithful(passages)
        case "wordy":
            return faithful(passages, 30, change=False)
        case "ungrounded":
            return _mixed(passages, BAD["invented"], "invented", pick, 4)
        case "leaks":
            return _mixed(passages, AMOUNTS, "amount", pick)
        case "glued":
            return _glued(passages, pick)
        case "split":
            return _split(passages)
        case "cites":
            return _mixed(passages, BAD["citations"], "invented citation", pick)
        case "wrong-ids":
            return _wrong_ids(passages)
        case "obeys":
            return _mixed(passages, BAD["obeys"], "obeys", pick)
        case "sells":
            return _mixed(passages, BAD["vendors"], "sells", pick)
        case "orders":
            return _mixed(passages, BAD["orders"], "order", pick)
        case "everything":
            return _mixed(passages, [x for rows in BAD.values() for x in rows], "everything", pick, 4)
    raise ValueError(f"{script}: no such script. One of: {', '.join(SCRIPTS)}")


def lines(said: Sequence[Said]) -> str:
    """The JSON lines a model would send."""
    return "".join(json.dumps({"passages": list(s.passages), "sentence": s.sentence}, ensure_ascii=False) + "\n" for s in said)


@dataclass(frozen=True)
class Sheet:
    """Hand-written sentences about one card, with the passages as they stood when they were written."""

    card: str
    half: str
    title: str
    passages: tuple[str, ...]
    said: tuple[Said, ...]

    @property
    def given(self) -> tuple[Given, ...]:
        """The passages as a model is given them."""
        return tuple(Given(f"p{n}", self.title, text) for n, text in enumerate(self.passages, 1))


@lru_cache(maxsize=1)
def sheets() -> tuple[Sheet, ...]:
    """All of data/faithfulness/sentences.jsonl."""
    return tuple(_sheets())


def _sheets() -> Iterator[Sheet]:
    for line in DATA.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        said = [Said(t, (f"p{i + 1}",), True, "reworded") for i, t in row["good"]] + [Said(t, (f"p{i + 1}",), False, kind) for i, kind, t in row["bad"]]
        yield Sheet(row["card"], row["half"], row["title"], tuple(row["passages"]), tuple(said))
