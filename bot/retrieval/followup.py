"""Resolve an elliptical last message from the visitor's earlier turns, without a language model.

"and for PTSD?" after "does ketamine help social anxiety?" becomes "does ketamine help PTSD?": a named thing
of the same kind is put in the other's place. "is it dangerous?" is asked together with what "it" was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# Things of one kind stand for one another in a follow-up. Longest first inside a kind.
_KINDS: dict[str, tuple[str, ...]] = {
    "condition": (
        "depression with anxiety", "anxious depression", "generalized anxiety disorder", "generalised anxiety disorder",
        "generalized anxiety", "generalised anxiety", "social anxiety", "panic attacks", "panic disorder", "phobias", "phobia",
        "post-traumatic stress", "ptsd", "ocd", "gad", "bipolar disorder", "bipolar", "treatment-resistant depression", "depression",
        "suicidal thoughts", "agoraphobia", "separation anxiety", "panic", "anxiety",
    ),
    "drug": (
        "esketamine nasal spray", "esketamine", "spravato", "arketamine", "compounded ketamine", "street ketamine", "at-home ketamine",
        "ketamine lozenges", "ketamine infusions", "ketamine infusion", "ketamine", "ssris", "snris", "antidepressants",
        "benzodiazepines", "beta blockers", "buspirone", "pregabalin", "cbt", "exposure therapy", "talk therapy", "mindfulness", "exercise",
        "tms", "ect", "psilocybin", "alcohol", "cannabis", "lithium", "stimulants", "opioids",
    ),
    "body": ("bladder", "liver", "heart", "memory", "brain", "blood pressure", "kidneys", "eyes"),
    "people": (
        "pregnant women", "pregnancy", "breastfeeding", "teenagers", "teens", "children", "kids", "older people", "older adults",
        "veterans", "women", "men", "students", "new mothers",
    ),
    "place": ("the uk", "uk", "canada", "australia", "ireland", "europe", "the us", "us", "usa", "america", "new zealand", "the nhs", "nhs"),
}
_ENTITY = {kind: re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b", re.I) for kind, names in _KINDS.items()}
_OPENER = re.compile(r"^(?:ok(?:ay)?|so|and|but|also|then|right|hmm+|well|thanks?(?: you)?|great|what about|how about|what if|or)\b[\s,.!:-]*", re.I)
_LEADS = re.compile(r"^(?:and|but|or|also|what about|how about|same (?:for|with)|ok(?:ay)? and|so|then)\b", re.I)
_PRONOUN = re.compile(r"\b(?:it|its|it's|that|this|these|those|they|them|one|the (?:same|other|effects?|benefits?|risks?|treatment|study|trial|drug))\b", re.I)
_BARE = re.compile(
    r"\b(?:it|this stuff|this drug|the drug|this treatment|the treatment|the medicine|this medicine)\b"
    r"(?! (?:normal|ok|okay|me\b|possible|true|common|bad that|weird|hard to|too late|my\b|just|that\b))", re.I)
_MORE = re.compile(
    r"^(?:(?:can|could) you )?(?:please )?(?:tell me more|more(?: (?:info|detail|details|please|on that|about that))?|go on|continue|explain (?:more|further)|"
    r"expand(?: on that)?|say more|elaborate|in more detail|anything else|keep going)\b.{0,25}$", re.I)
_SIMPLER = re.compile(
    r"\b(?:simpler|simple (?:words|terms|english)|plain (?:words|english)|easier (?:words|to understand)|dumb it down|eli5|explain like i'?m (?:5|five)|"
    r"i (?:don'?t|do not|didn'?t) (?:understand|get (?:it|that))|too complicated|in english please|what does that mean)\b", re.I)
_CONTENT = re.compile(r"[a-z][a-z'-]{2,}", re.I)
_SENTENCE = re.compile(r"(?<=[.!?…;])\s+|\n+")
_ASKS = re.compile(
    r"\?|^\W*(?:(?:so|and|but|ok|also|anyway)\W+)?(?:how|what|why|is|are|does|do|did|can|could|will|would|who|where|when|should|which|has|have|any)\b"
    r"|\b(?:wonder(?:ing|ed)?|want(?:ed)? to (?:know|understand|ask)|like to (?:know|understand|ask)|my question|curious|anyone know|tell me|explain|not sure (?:if|whether|what|how)"
    r"|can'?t (?:work out|find out|tell)|don'?t (?:know|understand) (?:if|whether|what|how|why))\b", re.I)
STORY_WORDS = 30
ASKED = 0.5
_LIGHT = frozenset(
    ["the", "and", "but", "for", "with", "that", "this", "what", "when", "where", "which", "who", "why", "how", "does", "did", "can", "could", "would", "will", "should", "about", "there", "their", "them", "they", "then", "than", "are", "was", "were", "been", "being", "have", "has", "had", "not", "you", "your", "any", "some", "more", "much", "many", "long", "often", "same", "other", "one", "also", "just", "okay", "thanks", "please", "really", "actually", "it's", "its", "does", "work", "help", "helps", "safe"]
)

Mode = Literal["normal", "more", "simpler"]


@dataclass(frozen=True)
class Resolved:
    """What to look up.

    Attributes:
        query: the message as a question that stands alone.
        mode: whether the visitor wants the last answer continued or said more simply.
        carried: whether earlier turns were used.
    """

    query: str
    mode: Mode = "normal"
    carried: bool = False
    last: str = ""
    before: str = ""

    @property
    def readings(self) -> list[tuple[str, float]]:
        """The query and, of a story, what it asks; for a follow-up, the bare message and the message with what came before; weights add to 1.

        No single rewriting is right for every follow-up; together they find more (docs/evals.md).
        """
        if not self.before or self.mode != "normal":
            asked = asking(self.query)
            return [(self.query, 1 - ASKED), (asked, ASKED)] if asked else [(self.query, 1.0)]
        joined = f"{self.before} {self.last}"
        if not self.carried:
            return [(self.query, 0.7), (joined, 0.3)]
        return [(self.query, 0.24), (self.last, 0.38), (joined, 0.38)]


def asking(message: str) -> str:
    """The sentences of a long message that ask something; empty for a short one, and when that is all of it or none."""
    if len(message.split()) < STORY_WORDS:
        return ""
    sentences = [p for p in _SENTENCE.split(message) if p.strip()]
    asks = [p for p in sentences if _ASKS.search(p)]
    return " ".join(asks) if 0 < len(asks) < len(sentences) else ""


def is_elliptical(message: str) -> bool:
    """Whether a message leans on what came before."""
    words = _CONTENT.findall(message)
    content = [w for w in words if w.lower() not in _LIGHT]
    if _LEADS.match(message) and len(content) <= 6:
        return True
    named = any(p.search(message) for p in (_ENTITY["drug"], _ENTITY["condition"]))
    if _PRONOUN.search(message) and len(words) <= 12 and not named:
        return True
    return len(content) <= 2 and len(message.split()) <= 8 and not (named and len(content) >= 2)


def resolve(last: str, earlier: Sequence[str]) -> Resolved:
    """The stand-alone query for `last`, given the earlier visitor turns that may be used (oldest first)."""
    previous = next((t for t in reversed(earlier) if len(t.split()) >= 2 and not _MORE.match(t.strip())), "")
    message = last.strip()
    if not previous and len(message.split()) <= 9 and (pronoun := _BARE.search(message)) and not any(p.search(message[: pronoun.start()]) for p in _ENTITY.values()):
        # On this site an "it" that nothing came before is ketamine.
        return Resolved(message[: pronoun.start()] + "ketamine" + message[pronoun.end() :])
    if previous and _MORE.match(message):
        return Resolved(resolve(previous, [t for t in earlier if t != previous]).query, "more", True)
    if previous and _SIMPLER.search(message) and len(message.split()) <= 14:
        return Resolved(resolve(previous, [t for t in earlier if t != previous]).query, "simpler", True)
    if not previous:
        return Resolved(message)
    before = " ".join(list(earlier)[-2:])
    if not is_elliptical(message):
        return Resolved(message, last=message, before=before if len(message.split()) <= 12 else "")
    return Resolved(_rewrite(message, previous, earlier), carried=True, last=message, before=before)


def _rewrite(message: str, previous: str, earlier: Sequence[str]) -> str:
    """The elliptical message as one stand-alone question."""
    base = resolve(previous, earlier[: list(earlier).index(previous)]).query
    core = _OPENER.sub("", _OPENER.sub("", message)).strip() or message
    content = [w for w in _CONTENT.findall(core) if w.lower() not in _LIGHT]
    for pattern in _ENTITY.values():
        mine, theirs = pattern.search(core), pattern.search(base)
        rest = pattern.sub("", core, count=1)
        bare = len([w for w in _CONTENT.findall(rest) if w.lower() not in _LIGHT]) == 0 and not re.search(r"\b(?:how|why|when|is|are|does|do|can)\b", rest, re.I)
        if mine and theirs and bare and mine[0].lower() != theirs[0].lower():
            return base[: theirs.start()] + mine[0] + base[theirs.end() :]
    if not content and len(core.split()) <= 2:
        return f"{base} {core}"
    subject = _subject(base)
    if _PRONOUN.search(core) and subject:
        return _PRONOUN.sub(subject, core, count=1)
    return f"{core} {subject}" if subject and subject.lower() not in core.lower() else f"{base} {core}"


def _subject(question: str) -> str:
    """What an earlier question was about: its named things, in the order they were named."""
    spans: list[tuple[int, int, str]] = []
    for kind in ("drug", "condition", "body", "people"):
        for match in _ENTITY[kind].finditer(question):
            if not any(match.start() < e and s < match.end() for s, e, _ in spans):
                spans.append((match.start(), match.end(), match[0]))
    return " ".join(text for _, _, text in sorted(spans)[:3])
