"""Positions: what articles often say that goes beyond, or against, what the cards hold (positions.yaml)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml

PATH = Path(__file__).with_name("positions.yaml")
NAMED = re.compile(r"\b(?:(?:es|ar)?ketamine|spravato|ketamine-assisted)\b", re.I)
# Words that mean ketamine once a sentence before has named it.
_POINTING = re.compile(
    r"\b(?:it|its|the (?:drug|treatment|medicine|therapy|infusions?|compound|substance)|this (?:drug|treatment|medicine|therapy|approach|process|state|option|altered|"
    r"heightened|combination|increased)|"
    r"these (?:effects|infusions|findings|results|receptors|side effects|properties|new|attributes|medications?|studies|risks|sessions|formulations)|infusions?|"
    r"treatment|patients|clients|customers|the (?:effects?|benefits?|side effects?|risk|sessions?))\b", re.I)


@dataclass(frozen=True)
class Position:
    """One position, compiled. `verdict` is what a sentence that trips it is, measured against the cards in `holds`."""

    id: str
    says: str
    verdict: Literal["stronger", "against"]
    patterns: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    subject: bool
    holds: tuple[str, ...]
    matches: tuple[str, ...]
    spares: tuple[str, ...]

    def trips(self, sentence: str, context: str = "", section: str = "") -> bool:
        """Whether `sentence`, read after `context` under the heading `section`, takes this position."""
        if self.subject and not about_ketamine(sentence, context, section):
            return False
        return all(p.search(sentence) for p in self.patterns) and not any(p.search(sentence) for p in self.unless)


def about_ketamine(sentence: str, context: str = "", section: str = "") -> bool:
    """Whether the sentence speaks of ketamine, by name or by pointing back to it."""
    return bool(NAMED.search(sentence) or (_POINTING.search(sentence) and NAMED.search(f"{context} {section}")))


@lru_cache(maxsize=2)
def load_positions(path: Path = PATH) -> tuple[Position, ...]:
    """Read and compile the positions.

    Raises:
        ValueError: naming the position whose pattern is at fault.
    """
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    words = data["words"]
    limits = re.compile(re.sub(r"\s*\n\s*", "", data["limits"]).replace("| ", "|"), re.I)

    def compiled(name: str, pattern: str) -> re.Pattern[str]:
        for key, value in words.items():
            pattern = pattern.replace("{" + key + "}", value)
        try:
            return re.compile(pattern, re.I)
        except re.error as err:
            raise ValueError(f"{path}: {name}: {err} in {pattern[:80]}") from err

    return tuple(
        Position(
            row["id"], row["says"], row["verdict"],
            tuple(compiled(row["id"], p) for p in row["all"]),
            (*(compiled(row["id"], p) for p in row.get("unless", ())), *((limits,) if row.get("limits", True) else ())),
            row.get("subject") == "ketamine", tuple(row["holds"]), tuple(row["matches"]), tuple(row["spares"]),
        )
        for row in data["positions"]
    )
