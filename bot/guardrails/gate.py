"""The output gate: nothing reaches a visitor without passing it, whoever wrote it.

It repairs a draft by dropping statements and replaces a whole reply when that is not enough. It fails closed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from bot.conversation import Block, Draft, Statement
from bot.guardrails import wording
from bot.guardrails.amounts import find_amounts

if TYPE_CHECKING:
    from bot.guardrails.grounding import Grounding

# Words that claim more than a card of weaker certainty may say.
_STRONG = re.compile(
    r"\b(?:prov(?:en|es|ed)|cures?|cured|definitely|certainly|always|guarante\w+|completely safe|perfectly safe|no (?:risks?|side effects)|"
    r"(?:has|have) been shown to|is (?:known|established) to|clearly (?:works|helps)|highly effective|breakthrough|everyone|nobody)\b", re.I)
NEGATION = re.compile(r"\b(?:not|no|never|none|nobody|nothing|cannot|can't|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|without|neither|nor|rarely|hardly|unlikely|unproven|unknown|unclear|fail(?:s|ed)?)\b", re.I)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_WORDS = {w: str(i) for i, w in enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"])} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000", "half": "1/2"}
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_FUNCTION = frozenset(
    ["a", "an", "the", "is", "are", "was", "were", "be", "been", "being", "am", "do", "does", "did", "done", "have", "has", "had", "having", "can", "could", "may", "might", "will", "would", "shall", "should", "must", "to", "of", "in", "on", "at", "for", "with", "by", "from", "as", "and", "or", "but", "if", "than", "then", "that", "this", "these", "those", "it", "its", "they", "them", "their", "there", "you", "your", "yours", "i", "me", "my", "we", "us", "our", "he", "she", "his", "her", "so", "such", "very", "more", "most", "much", "many", "some", "any", "all", "each", "both", "about", "into", "over", "after", "before", "during", "while", "when", "where", "which", "who", "whom", "whose", "what", "how", "why", "also", "just", "only", "even", "still", "yet", "too", "up", "down", "out", "off", "again", "further", "other", "another", "own", "same", "people", "person", "someone", "one", "ones", "thing", "things", "way", "ways", "get", "gets", "got", "make", "makes", "made", "go", "goes", "going", "take", "takes", "help", "helps"]
)
_SUFFIX = re.compile(r"(?:ations?|ingly|ments?|ness|ings?|edly|ed|es|ly|s)$")
SUPPORT = 0.7
REMEMBERED_SENTENCES = 10_000


def _stem(word: str) -> str:
    cut = _SUFFIX.sub("", word)
    return cut if len(cut) >= 4 else word


def _content(text: str) -> list[str]:
    return [_stem(w) for w in _WORD.findall(text.lower().replace("’", "'")) if w not in _FUNCTION and len(w) > 2]


def _numbers(text: str) -> set[str]:
    found = {n.replace(",", "").rstrip(".") for n in _NUMBER.findall(text)}
    return found | {_NUMBER_WORDS[w] for w in _WORD.findall(text.lower()) if w in _NUMBER_WORDS}


def support(sentence: str, passage: str) -> float:
    """How far `passage` says what `sentence` says, 0 to 1.

    1 when the sentence stands in the passage. Otherwise the share of its content words found in the best
    matching window of the passage, and 0 when a number is not in the passage or a negation stands on one side only.
    """
    plain, source = " ".join(sentence.split()), " ".join(passage.split())
    if plain and plain in source:
        return 1.0
    words = _content(plain)
    if not words or _numbers(plain) - _numbers(source):
        return 0.0
    pieces = [p for p in re.split(r"(?<=[.!?;])\s+", source) if p]
    best = 0.0
    for i in range(len(pieces)):
        for size in (1, 2):
            window = " ".join(pieces[i : i + size])
            have = set(_content(window))
            share = sum(w in have for w in words) / len(words)
            if share > best and bool(NEGATION.search(plain)) == bool(NEGATION.search(window)):
                best = share
    return best


@dataclass(frozen=True)
class Released:
    """A draft after the gate.

    Attributes:
        draft: what may be shown.
        dropped: (sentence, reason) for each statement taken out.
    """

    draft: Draft
    dropped: tuple[tuple[str, str], ...]


class Gate:
    """Checks every reply against what may be published.

    Args:
        hosts: hosts a link may have (without www).
        numbers: digits of the telephone numbers a reply may show.
        grounding: judges reworded sentences; without it only sentences that stand in their passage, or nearly so, pass.
    """

    def __init__(self, hosts: Collection[str], numbers: Collection[str], grounding: Grounding | None = None) -> None:
        self._hosts, self._numbers, self._grounding = frozenset(hosts), frozenset(numbers), grounding
        # The cards' sentences come back in many replies; a whole reply is looked at anew.
        self._known = lru_cache(maxsize=REMEMBERED_SENTENCES)(self.faults)

    def with_grounding(self, grounding: Grounding) -> Gate:
        """The same gate for a writer that words things its own way."""
        return Gate(self._hosts, self._numbers, grounding)

    def faults(self, text: str) -> list[str]:
        """Why `text` may not be shown as it is; empty when it may."""
        found = [f"amount: {a.text}" for a in find_amounts(text)]
        for name, pattern in (("vendor", wording.VENDOR), ("method", wording.METHOD), ("order", wording.ORDERS), ("licensed", wording.LICENSED)):
            found += [f"{name}: {m[0]}" for m in pattern.finditer(text)]
        found += [f"link: {u}" for u in wording.bad_links(text, self._hosts)]
        found += [f"contact: {c}" for c in wording.bad_contacts(text, self._numbers)]
        found += [f"html: {h}" for h in wording.raw_html(text)]
        return found

    def reason(self, statement: Statement) -> str | None:
        """Why a statement must be dropped, or None."""
        if faults := self._known(statement.text) if statement.text in statement.support else self.faults(statement.text):
            return faults[0]
        if not statement.sources:
            return "no citation"
        if self._grounding and statement.text not in statement.support:
            return self._grounding.fault(statement.text, statement.support, statement.context)
        score = support(statement.text, statement.support)
        if score < SUPPORT:
            return f"support {score:.2f}"
        strong = _STRONG.search(statement.text)
        if score < 1.0 and strong and strong[0].lower() not in statement.support.lower() and not NEGATION.search(statement.text):
            return f"stronger than its source: {strong[0]}"
        return None

    def held(self, statement: Statement, before: str) -> str | None:
        """Why a model's statement must be dropped, by itself or after the sentence `before` it: an amount may not span two."""
        if why := self.reason(statement):
            return why
        joined = self.faults(f"{before[-80:]} {statement.text[:80]}") if before else []
        return f"across two sentences: {joined[0]}" if joined else None

    def release(self, draft: Draft) -> Released:
        """Drop every statement that fails; blocks left without statements go with them."""
        dropped: list[tuple[str, str]] = []
        blocks: list[Block] = []
        for block in draft.blocks:
            kept = []
            for statement in block.statements:
                if why := self.reason(statement):
                    dropped.append((statement.text, why))
                else:
                    kept.append(statement)
            if kept or not block.statements:
                blocks.append(block.model_copy(update={"statements": tuple(kept)}))
        related = tuple(q for q in draft.related if not self._known(q))
        return Released(draft.model_copy(update={"blocks": tuple(blocks), "related": related}), tuple(dropped))


def allowed_hosts(urls: Iterable[str]) -> frozenset[str]:
    """The hosts of `urls`."""
    return frozenset(wording.host_of(u) for u in urls)
