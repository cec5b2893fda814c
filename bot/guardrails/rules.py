"""Rules as data: high-precision patterns for each category, in several languages.

Every rule lives in bot/guardrails/rules/*.yaml with examples it must and must not match, which the tests
run. Matching uses RE2 (linear time, no backtracking), all patterns in one pass over the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import re2
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.conversation import Category

FOLDER = Path(__file__).parent / "rules"


class Rule(BaseModel):
    """One pattern and what it means.

    Attributes:
        pattern: RE2 syntax, case-insensitive; `\\b` is ASCII-only in RE2.
        unless: a pattern that, found anywhere in the same text, keeps the rule from firing.
        lang: ISO 639-1 code of the language it reads.
        matches: texts that it must match.
        spares: look-alikes that it must not match.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    category: Category
    lang: str = "en"
    pattern: str
    unless: str | None = None
    matches: tuple[str, ...] = Field(min_length=1)
    spares: tuple[str, ...] = ()


class RuleError(ValueError):
    """A rule file that cannot be used; names the file and the rule."""


def load_rules(folder: Path = FOLDER) -> list[Rule]:
    """Read every rule file, in a stable order.

    Raises:
        RuleError: for a malformed rule, an id used twice or a pattern RE2 does not take.
    """
    rules: list[Rule] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("*.yaml")):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            name = row.get("id", "?") if isinstance(row, dict) else str(row)
            try:
                rule = Rule(**row)
                re2.compile("(?i)" + rule.pattern)
                if rule.unless:
                    re2.compile("(?i)" + rule.unless)
            except (ValidationError, TypeError, re2.error) as err:
                raise RuleError(f"{path}: rule {name}: {err}") from err
            if rule.id in seen:
                raise RuleError(f"{path}: rule {rule.id}: the id is used twice")
            seen.add(rule.id)
            rules.append(rule)
    return rules


@dataclass(frozen=True)
class Match:
    """A rule that fired."""

    rule: Rule


class RuleSet:
    """All rules compiled for one pass."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        # The default budget (8 MiB) is too small for the automaton of all rules; past it RE2 reports no match.
        options = re2.Options()
        options.max_mem = 512 << 20
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        for rule in self.rules:
            self._set.Add("(?i)" + rule.pattern)
        self._set.Compile()
        self._unless = {r.id: re2.compile("(?i)" + r.unless) for r in self.rules if r.unless}

    def __call__(self, text: str) -> list[Rule]:
        """The rules that fire on `text`, in file order."""
        text = text.replace("’", "'").replace("`", "'")
        return [
            self.rules[i]
            for i in sorted(self._set.Match(text) or ())
            if self.rules[i].id not in self._unless or not self._unless[self.rules[i].id].search(text)
        ]
