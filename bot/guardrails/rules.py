"""Rules as data: high-precision patterns for each category, in several languages.

Every rule lives in bot/guardrails/rules/*.yaml with examples it must and must not match, which the tests
run. Matching uses RE2 (linear time, no backtracking), a few dozen patterns in one pass over the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import re2
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.conversation import Category

FOLDER = Path(__file__).parent / "rules"
SETS = 32
SET_MEMORY = 2 << 20  # bytes; a set that cannot be compiled within it fails at the start, one that fills it while matching starts its automaton afresh


class Rule(BaseModel):
    """One pattern and what it means.

    Attributes:
        pattern: RE2 syntax, case-insensitive; `\\b` is ASCII-only in RE2.
        unless: a pattern that, found anywhere in the same text, keeps the rule from firing.
        across: whether it also reads the last few turns together.
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
    across: bool = False
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
        for row in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) or []:
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


class RuleSet:
    """All rules compiled into a few RE2 sets, each matched in one pass.

    One automaton for all rules has far more states than a few dozen for some alike rules each; on texts not met before,
    building them as it reads, it took eight times as long and more memory.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        alike = sorted(range(len(self.rules)), key=lambda i: (self.rules[i].lang != "en", self.rules[i].lang, self.rules[i].category))
        size = max(1, -(-len(alike) // SETS))
        self._sets = [(part, matcher_of([self.rules[i].pattern for i in part])) for part in (alike[i : i + size] for i in range(0, len(alike), size))]
        self._unless: dict[str, Any] = {}  # compiled when first needed: most never are, and all of them took a tenth of the start

    def __call__(self, text: str) -> list[Rule]:
        """The rules that fire on `text`, in file order."""
        text = text.replace("’", "'").replace("`", "'")
        fired = sorted(part[i] for part, matcher in self._sets for i in matcher.Match(text) or ())
        return [self.rules[i] for i in fired if not self._spares(self.rules[i], text)]

    def _spares(self, rule: Rule, text: str) -> bool:
        if rule.unless is None:
            return False
        if rule.id not in self._unless:
            self._unless[rule.id] = re2.compile("(?i)" + rule.unless)
        return self._unless[rule.id].search(text) is not None


def matcher_of(patterns: Iterable[str]) -> Any:
    """One RE2 set of patterns, case-insensitive: `Match(text)` gives the indices of those found in it, in one pass, or None."""
    options = re2.Options()
    options.max_mem = SET_MEMORY
    options.log_errors = False
    matcher = re2.Set.SearchSet(options)
    for pattern in patterns:
        matcher.Add("(?i)" + pattern)
    matcher.Compile()
    return matcher
