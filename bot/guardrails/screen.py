"""The input screen: views, rules and router become one verdict. It runs before retrieval and needs no index.

Precedence is the contract's: crisis, then refusal, then deferral, then the rest. Rules are certain in the
direction of safety; the router decides the rest by expected cost, a missed crisis being the dearest.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from bot.conversation import ACTION_OF, TOPICS, Action, Category, Conversation
from bot.guardrails import tones
from bot.guardrails.language import detect
from bot.guardrails.normalize import normalize
from bot.guardrails.router import Probabilities, context_of
from bot.guardrails.rules import Rule, RuleSet

log = logging.getLogger("lantern")

REMEMBERED_TURNS = 6
EARLIER_CHARS = 2_000
WHOLE_CHARS = 1_200
PART_CHARS = 240
MAX_PARTS = 8
VIEW_CHARS = 480
MAX_VIEWS = 2
WINDOW_CHARS = 700  # about what the router's 192 word pieces hold
MAX_WINDOWS = 3
REMEMBERED_SCORES = 4_000
PLAINLY = 24  # a rule for an honest question speaks for a message of this many words; a longer one may hold something else
# Which crisis is answered when several are seen: a body in danger first.
_CRISIS_ORDER = (Category.MEDICAL_EMERGENCY, Category.SELF_HARM, Category.HARM_TO_OTHERS)


@dataclass(frozen=True)
class Thresholds:
    """Probabilities from which an action is taken, chosen on held-out examples for stated costs (bot/training/thresholds.py).

    A part of a message counts only if the whole is at least faintly suspect (the floors), because a fragment
    without its context is easily misread. A refusal rule yields only to a router that is all but certain of the
    opposite; a crisis rule never yields. An earlier crisis that was less sure than `crisis_memory` is remembered
    against a brush-off ("never mind, I'm fine") but does not turn whatever short thing follows into a crisis.
    """

    crisis: float = 0.35
    crisis_part: float = 0.90
    crisis_floor: float = 0.05
    refuse: float = 0.45
    refuse_part: float = 0.90
    refuse_floor: float = 0.05
    refuse_after_refusal: float = 0.25
    refuse_rule_floor: float = 0.02
    defer: float = 0.45
    other: float = 0.60
    crisis_memory: float = 0.85

    def reads_parts(self, crisis: float, refuse: float) -> bool:
        """Whether a message's parts can matter, given what the whole of it seems to be."""
        return (crisis >= self.crisis_floor and self.crisis_part <= 1) or (refuse >= self.refuse_floor and self.refuse_part <= 1)


class Classify(Protocol):
    """What the screen needs of a router."""

    def __call__(self, pairs: list[tuple[str, str]]) -> list[Probabilities]: ...


@dataclass(frozen=True)
class Verdict:
    """What the screen decided.

    Attributes:
        text: the canonical message, to look up.
        why: the rule or probability that decided, for maintainers.
        topics: how likely each answer topic is.
        uncovered: the router's probability that no card covers the message; 0.5 without a router.
        remembers: the crisis category seen earlier in the conversation, if any.
        usable: earlier visitor turns that may be used to resolve this one (refused and crisis turns may not).
        tone: a finer shade of the category, naming the reply that fits ("imminent", "other", "fine", "panic", ...).
    """

    category: Category
    confidence: float
    why: str
    text: str
    language: str = "en"
    topics: Mapping[str, float] = field(default_factory=dict)
    uncovered: float = 0.5
    remembers: Category | None = None
    usable: tuple[str, ...] = ()
    tone: str = ""
    minor: bool = False

    @property
    def action(self) -> Action:
        """The action that belongs to the category."""
        return ACTION_OF[self.category]


_BREAK = re.compile(r"(?<=[.!?;\n])\s+|\n+|\s+(?:also|anyway|btw|by the way|ps|p\.s\.?|oh and|and also|but also)\s+", re.I)


@dataclass(frozen=True)
class Turn:
    """One visitor turn with what rules and router made of it."""

    text: str
    fired: tuple[Rule, ...]
    scores: Probabilities


@dataclass(frozen=True)
class Evidence:
    """Everything the decision rests on, so that thresholds can be tried without running the router again."""

    turn: Turn
    parts: tuple[Probabilities, ...]
    others: tuple[Probabilities, ...]
    earlier: tuple[Turn, ...]
    language: str


class Screen:
    """Decides what a turn is.

    Args:
        rules: the compiled rules.
        router: None when no model is built; the rules then decide alone and anything else is an answer.
    """

    def __init__(self, rules: RuleSet, router: Classify | None, thresholds: Thresholds | None = None) -> None:
        self._rules, self._router = rules, router
        self._across = RuleSet(r for r in rules.rules if r.across)
        self._at = thresholds or Thresholds()
        self._remembered: dict[bytes, Probabilities] = {}

    def __call__(self, conversation: Conversation) -> Verdict:
        """The verdict on the conversation's last message."""
        return decide(self.evidence(conversation, self._at), self._at)

    def forget(self) -> None:
        """Drop the remembered scores."""
        self._remembered.clear()

    def evidence(self, conversation: Conversation, at: Thresholds | None = None) -> Evidence:
        """Run normaliser, rules and router.

        Args:
            at: spares the router the parts of a message that these thresholds will not look at.
        """
        views = normalize(conversation.last)
        earlier = [normalize(t[-EARLIER_CHARS:]).canonical for t in conversation.earlier[-REMEMBERED_TURNS:]]
        others = [*(view[:VIEW_CHARS] for view in views.others[:MAX_VIEWS]), *windows(views.canonical)]
        context = context_of(earlier)
        pairs = [(views.canonical[:WHOLE_CHARS], context)]
        pairs += [(other, context) for other in others]
        pairs += [(turn[:WHOLE_CHARS], context_of(earlier[:i])) for i, turn in enumerate(earlier)]
        scores = self._scores(pairs)
        whole, b = scores[0], 1 + len(others)
        parts = split_parts(views.canonical) if at is None or at.reads_parts(_of(whole, Action.CRISIS), _of(whole, Action.REFUSE)) else []
        of_parts = self._scores([(part, "") for part in parts])
        fired = list(self._rules(views.canonical))
        for other in (*views.others, views.garbled):
            fired += [r for r in self._rules(other) if r not in fired]
        if before := " ".join(earlier[-3:]):
            told = self._across(before)
            fired += [r for r in self._across(f"{before} {views.canonical}") if r not in fired and r not in told]
        return Evidence(
            Turn(views.canonical, tuple(fired), whole), tuple(of_parts), tuple(scores[1:b]),
            tuple(Turn(t, tuple(self._rules(t)), p) for t, p in zip(earlier, scores[b:], strict=True)), detect(views.canonical),
        )

    def _scores(self, pairs: list[tuple[str, str]]) -> list[Probabilities]:
        """What the router makes of each pair; nothing when it is missing or fails, and the rules decide alone (R-10).

        Scores are remembered by hash, so that a conversation's earlier turns are not scored again at every turn.
        """
        if self._router is None:
            return [{} for _ in pairs]
        keys = [sha256("\x00".join(pair).encode()).digest() for pair in pairs]
        known = {key: scores for key in keys if (scores := self._remembered.get(key)) is not None}
        missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
        try:
            known.update(zip(missing, self._router(list(missing.values())) if missing else (), strict=True))
        except Exception:
            log.exception("the router failed, so the rules decide alone")
            return [{} for _ in pairs]
        if len(self._remembered) > REMEMBERED_SCORES:
            self.forget()
        self._remembered.update(known)
        return [known[key] for key in keys]


def decide(evidence: Evidence, at: Thresholds) -> Verdict:
    """The verdict that the evidence gives at these thresholds."""
    past = [_past(turn, at) for turn in evidence.earlier]
    remembers, sure = next(((c, p) for c, p in reversed(past) if c and ACTION_OF[c] is Action.CRISIS), (None, 0.0))
    refused = next((c for c, _ in reversed(past[-2:]) if c and ACTION_OF[c] is Action.REFUSE), None)
    text = evidence.turn.text
    category, confidence, why = _category(evidence, at, remembers, refused, sure >= at.crisis_memory)
    language = evidence.language
    if language == "en" and (spoken := {r.lang for r in evidence.turn.fired if r.category is category}) and "en" not in spoken:
        language = min(spoken)  # too short to tell by itself, but only rules of that language fired
    return Verdict(
        category, confidence, why, text, language, _topics(evidence.turn.scores), _of(evidence.turn.scores, Action.ABSTAIN) if evidence.turn.scores else 0.5, remembers,
        usable=tuple(t.text for t, (c, _) in zip(evidence.earlier, past, strict=True) if c is None),
        tone=tones.tone(category, text, remembers is not None, any("means" in r.id for r in evidence.turn.fired)),
        minor=any(tones.has("minor", t) for t in (text, *(turn.text for turn in evidence.earlier))),
    )


def _past(turn: Turn, at: Thresholds) -> tuple[Category | None, float]:
    """The crisis or refusal that an earlier turn was, or None; and how sure that is."""
    category, confidence, _ = _category(Evidence(turn, (), (), (), "en"), at, None, None)
    return (category if ACTION_OF[category] in (Action.CRISIS, Action.REFUSE) else None), confidence


def _category(evidence: Evidence, at: Thresholds, remembers: Category | None, refused: Category | None, firmly: bool = False) -> tuple[Category, float, str]:
    """(category, confidence, why), by the contract's precedence; `firmly`: the crisis remembered was plain to see."""
    whole, text = evidence.turn.scores, evidence.turn.text
    fired = {a: [r for r in evidence.turn.fired if ACTION_OF[r.category] is a] for a in Action}
    if crisis := fired[Action.CRISIS]:
        likely = [c for c in _CRISIS_ORDER if any(r.category is c for r in crisis)]
        category = max(likely, key=lambda c: (round(whole.get(c, 0.0), 1), -_CRISIS_ORDER.index(c)))
        return category, 1.0, "rule " + next(r.id for r in crisis if r.category is category)
    if found := _suspect(evidence, Action.CRISIS, at.crisis, at.crisis_part, at.crisis_floor, at.other):
        return found
    if remembers and (tones.has("fine", text) or (firmly and remembers is not Category.MEDICAL_EMERGENCY and not tones.asks(text) and len(text.split()) <= 12)):
        return remembers, 1.0, "memory: a crisis is not cleared by this"
    refusals = fired[Action.REFUSE]
    if refusals and (not whole or _of(whole, Action.REFUSE) >= at.refuse_rule_floor):
        payload = [r for r in refusals if r.category is not Category.INJECTION] or refusals
        best = max(payload, key=lambda r: whole.get(r.category, 0.0))
        return best.category, 1.0, f"rule {best.id}"
    if tones.has("psychosis_now", text):
        return Category.PERSONAL_MEDICAL, 1.0, "signs of lost contact with reality"
    if (known := fired[Action.ANSWER]) and not refusals and len(text.split()) <= PLAINLY:
        return known[0].category, 1.0, f"rule {known[0].id}"
    if found := _suspect(evidence, Action.REFUSE, at.refuse, at.refuse_part, at.refuse_floor, at.other):
        return found
    p = _of(whole, Action.REFUSE)
    if refused and p >= at.refuse_after_refusal:
        return refused, p, f"memory: continues a refused subject {p:.2f}"
    p = whole.get(Category.PERSONAL_MEDICAL, 0.0)
    if p >= at.defer:
        return Category.PERSONAL_MEDICAL, p, f"router: defer {p:.2f}"
    if rule := next((r for a in (Action.DEFER, Action.SUPPORT, Action.SMALLTALK) for r in fired[a]), None):
        return rule.category, 1.0, f"rule {rule.id}"
    if not whole:
        return Category.HELP, 0.0, "no router"
    # The seven answer topics are one decision first, so that a question between two topics is still answered.
    rest = {c: v for c, v in whole.items() if ACTION_OF[c] not in (Action.CRISIS, Action.REFUSE, Action.ANSWER)}
    topic = max(TOPICS, key=lambda c: whole.get(c, 0.0))
    rest[topic] = _of(whole, Action.ANSWER)
    best_category = max(rest, key=rest.__getitem__)
    return best_category, rest[best_category], f"router: {best_category.value} {rest[best_category]:.2f}"


def _suspect(
    evidence: Evidence, action: Action, alone: float, part: float, floor: float, other: float
) -> tuple[Category, float, str] | None:
    """The category of `action` that the router sees in the whole, in a part, or in another view (decoded text, a later stretch), if any."""
    whole = evidence.turn.scores
    p = _of(whole, action)
    if whole and p >= alone:
        return _likeliest(whole, action), p, f"router: {action.value} {p:.2f}"
    for where, views, bar in (("one part", evidence.parts if p >= floor else (), part), ("another view", evidence.others, other)):
        best = max(views, key=lambda scores: _of(scores, action), default=None)
        if best and (q := _of(best, action)) >= bar:
            return _likeliest(best, action), q, f"router, {where}: {action.value} {q:.2f}"
    return None


def windows(text: str) -> list[str]:
    """What the router does not reach of a long message when it reads it from the start: the next stretches, and the end."""
    starts = range(WINDOW_CHARS, len(text) - WINDOW_CHARS // 4, WINDOW_CHARS - WINDOW_CHARS // 8)
    found = [text[i : i + WINDOW_CHARS] for i in starts]
    return found if len(found) <= MAX_WINDOWS else [*found[: MAX_WINDOWS - 1], text[-WINDOW_CHARS:]]


def split_parts(text: str) -> list[str]:
    """The parts of a longer message to screen by themselves: sentences, joined until there are at most MAX_PARTS. `windows` sees to a very long one."""
    if len(text.split()) < 12 or len(text) > WHOLE_CHARS:
        return []
    pieces = [p.strip() for p in _BREAK.split(text) if p and len(p.split()) >= 3]
    if len(pieces) < 2:
        words = text.split()
        pieces = [" ".join(words[i : i + 30]) for i in range(0, len(words), 20)] if len(words) > 45 else []
    if len(pieces) > MAX_PARTS:
        size = -(-len(pieces) // MAX_PARTS)
        pieces = [" ".join(pieces[i : i + size]) for i in range(0, len(pieces), size)]
    return [p[:PART_CHARS] for p in pieces]


def _of(scores: Probabilities, action: Action) -> float:
    return sum(v for c, v in scores.items() if ACTION_OF[c] is action)


def _likeliest(scores: Probabilities, action: Action) -> Category:
    return max((c for c in scores if ACTION_OF[c] is action), key=scores.__getitem__)


def _topics(scores: Probabilities) -> dict[str, float]:
    total = sum(scores.get(c, 0.0) for c in TOPICS)
    return {c.value: scores.get(c, 0.0) / total for c in TOPICS} if total > 0.05 else {}
