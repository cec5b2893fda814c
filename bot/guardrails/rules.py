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
        file: where it was read from.
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
    file: str = ""


class RuleError(ValueError):
    """A rule file that cannot be used; names the file and the rule."""


def load_rules(folder: Path = FOLDER) -> list[Rule]:
    """Read every rule file, in a stable order.

    Raises:
        RuleError: for a malformed rule or an id used twice. (A pattern RE2 does not take: RuleSet raises it.)
    """
    rules: list[Rule] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("*.yaml")):
        for row in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) or []:
            name = row.get("id", "?") if isinstance(row, dict) else str(row)
            try:
                rule = Rule(**row, file=str(path))
            except (ValidationError, TypeError) as err:
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

    Raises:
        RuleError: for a pattern RE2 does not take.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        alike = sorted(range(len(self.rules)), key=lambda i: (self.rules[i].lang != "en", self.rules[i].lang, self.rules[i].category))
        size = max(1, -(-len(alike) // SETS))
        try:
            self._sets = [(part, matcher_of([self.rules[i].pattern for i in part])) for part in (alike[i : i + size] for i in range(0, len(alike), size))]
        except re2.error:
            raise self._fault() from None
        self._unless: dict[str, Any] = {}  # compiled when first needed: most never are, and all of them took a tenth of the start
        if not _taken(r.unless for r in self.rules if r.unless):
            raise self._fault()

    def __call__(self, text: str) -> list[Rule]:
        """The rules that fire on `text`, in file order."""
        text = text.replace("’", "'").replace("`", "'")
        fired = sorted(part[i] for part, matcher in self._sets for i in matcher.Match(text) or ())
        return [self.rules[i] for i in fired if not self._spares(self.rules[i], text)]

    def _fault(self) -> RuleError:
        rule = next(r for r in self.rules if not _taken((r.pattern, r.unless or "")))
        return RuleError(f"{rule.file}: rule {rule.id}: RE2 takes no such pattern. Mend its `pattern` or `unless` (syntax: https://github.com/google/re2/wiki/Syntax)")

    def _spares(self, rule: Rule, text: str) -> bool:
        if rule.unless is None:
            return False
        if rule.id not in self._unless:
            self._unless[rule.id] = re2.compile("(?i)" + rule.unless)
        return self._unless[rule.id].search(text) is not None


def _taken(patterns: Iterable[str]) -> bool:
    """Whether RE2 parses all patterns; a set takes them without building the automaton."""
    parsed = _empty_set()
    try:
        for pattern in patterns:
            parsed.Add("(?i)" + pattern)
    except re2.error:
        return False
    return True


def _empty_set() -> Any:
    options = re2.Options()
    options.max_mem = SET_MEMORY
    options.log_errors = False
    return re2.Set.SearchSet(options)


def matcher_of(patterns: Iterable[str]) -> Any:
    """One RE2 set of patterns, case-insensitive: `Match(text)` gives the indices of those found in it, in one pass, or None."""
    matcher = _empty_set()
    for pattern in patterns:
        matcher.Add("(?i)" + pattern)
    matcher.Compile()
    return matcher
