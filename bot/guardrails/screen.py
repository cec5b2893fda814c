"""The input screen: views, rules and router become one verdict. It runs before retrieval and needs no index.

Precedence is the contract's: crisis, then refusal, then deferral, then the rest. Rules are certain in the
direction of safety; the router decides the rest by expected cost, a missed crisis being the dearest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.conversation import ACTION_OF, TOPICS, Action, Category, Conversation
from bot.guardrails.language import detect
from bot.guardrails.normalize import Views, normalize
from bot.guardrails.router import Probabilities, context_of
from bot.guardrails.rules import Rule, RuleSet

REMEMBERED_TURNS = 6
_SEVERITY = {Action.CRISIS: 3, Action.REFUSE: 2, Action.DEFER: 1}
# Which crisis is answered when several are seen: a body in danger first.
_CRISIS_ORDER = (Category.MEDICAL_EMERGENCY, Category.SELF_HARM, Category.HARM_TO_OTHERS)


@dataclass(frozen=True)
class Thresholds:
    """Probabilities from which an action is taken; chosen on held-out examples (docs/safety.md)."""

    crisis: float = 0.35
    crisis_window: float = 0.80
    refuse: float = 0.45
    refuse_window: float = 0.85
    refuse_after_refusal: float = 0.25
    defer: float = 0.45
    view: float = 0.60


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
    remembers: Category | None = None
    usable: tuple[str, ...] = ()
    tone: str = ""
    minor: bool = False

    @property
    def action(self) -> Action:
        """The action that belongs to the category."""
        return ACTION_OF[self.category]


_IMMINENT = re.compile(
    r"\b(?:tonight|right now|in (?:a|the next) (?:minute|hour|bit)|about to|this is (?:it|goodbye)|good ?bye (?:all|everyone|forever|world|for good)|i have (?:a plan|the|them|it) (?:in|ready|here)|"
    r"(?:in|on) my (?:hand|lap)|already (?:took|taken|did|done|started)|standing (?:on|at)|on the (?:edge|ledge|bridge|roof|tracks)|(?:wrote|written|writing) (?:my|the) (?:note|letters?)|"
    r"ready to (?:go|do it)|today is the day|before (?:they|he|she) gets? (?:home|back)|i'?m (?:going to|gonna) (?:do it|kill myself|end it))\b", re.I)
_OTHER = re.compile(
    r"\b(?:my (?:\w+ )?(?:friend|mate|brother|sister|son|daughter|mum|mom|mother|dad|father|husband|wife|partner|boyfriend|girlfriend|bf|gf|roommate|flatmate|uncle|aunt|cousin|nan|gran\w*|nephew|niece|"
    r"student|patient|colleague|coworker|neighbou?r|boss|teacher|kid|child|teen|boy|girl|ex|bestie|best friend|stepson|stepdaughter|lad)|he|she|they|someone|somebody|him|her)\b", re.I)
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|im|me|my ?self|my life|i'll|ive|i've|id|i'd)\b", re.I)
_OWN_WISH = re.compile(
    r"\b(?:kill(?:ing)? my ?self|end(?:ing)? (?:my life|it all|myself)|i (?:just |really )?(?:want|wanna|wish|plan|need|am going|'m going) (?:to )?(?:die|be dead|disappear|end|not wake)|i(?:'m| am|m) (?:suicidal|going to die|done)|"
    r"hurt(?:ing)? my ?self|cut(?:ting)? my ?self|my (?:own )?(?:death|suicide)|without me|i don'?t want to (?:live|be here|exist|wake))\b", re.I)
_FINE = re.compile(
    r"^\W*(?:(?:no|nah|ok(?:ay)?|sorry|actually|honestly|look|haha|lol|anyway|um|well|it'?s ok|thanks?)\W+)*(?:i'?m (?:fine|ok(?:ay)?|good|better|joking|kidding|just (?:joking|kidding|tired|being dramatic))|im (?:fine|ok|good|joking|kidding)|"
    r"(?:just )?(?:joking|kidding)|jk|never ?mind|nvm|forget (?:it|that|i said|about it|what i said)|ignore (?:that|me|what i said)|i (?:was|am) (?:only |just )?(?:joking|kidding|being (?:silly|dramatic))|"
    r"(?:i )?didn'?t mean (?:it|that)|don'?t worry(?: about (?:it|me))?|not (?:really|serious)|it was (?:a joke|nothing)|no (?:i'?m not|not really)|all good|drop it|let'?s (?:drop|change)|"
    r"i feel (?:fine|better|ok(?:ay)?)(?: now)?|whatever|thanks?(?: you)?(?: for listening)?)\b[^?]{0,80}$", re.I)
_MINOR = re.compile(
    r"\b(?:i'?m|i am|im|me,?|as a|aged?|turned|turning)\s+(?:only |just |a |an |nearly |almost )*(?:(?:8|9|1[0-7])(?!\s*(?:%|percent|mg|weeks?|months?|days?|hours?|minutes?|stone|years? (?:sober|clean|into|since|married|in))|\d|[.,:]\d)|"
    r"eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)(?:\s*(?:yo|y/o|yrs?|years?)(?:[ -]olds?)?)?\b(?!\s*(?:weeks|months|days|hours|minutes|sessions|pounds|kilos|of|and a half weeks))|"
    r"\b(?:i'?m|im|i am) (?:a minor|under ?age|under 18|in (?:year|yr) (?:[7-9]|1[01])|in (?:middle|high|primary|secondary) school|in (?:[6-9]th|1[0-2]th) grade|a (?:freshman|sophomore) in high school)\b|"
    r"\bmy (?:school counsell?or|form tutor|year head)\b|\b(?:1[0-7])\s*(?:yo|y/o|m\b|f\b)(?=.*\b(?:i|im|i'm|my)\b)|\bi'?m (?:a )?(?:1[0-7])[ -]?year", re.I)
_PANIC = re.compile(r"\b(?:panic(?:king|ing)?|panic attack|heart (?:is )?(?:racing|pounding)|hyperventilat\w+|can'?t (?:calm|catch my breath))\b", re.I)
_DEPENDENT = re.compile(r"\b(?:addict(?:ed|ion)|dependent|hooked|can'?t (?:stop|quit|go (?:a day )?without)|want to (?:stop|quit|get clean|cut down)|withdraw\w*|relaps\w+|craving\w*)\b", re.I)
_PSYCHOTIC = re.compile(
    r"\b(?:chosen one|i(?:'m| am|m) (?:chosen|a prophet|the messiah|god|jesus|immortal|invincible)|hearing voices|voices (?:tell|are|told|say|keep)|they(?:'re| are) (?:watching|following|tracking|listening|poisoning)|(?:secret|hidden|special) messages?|"
    r"implanted|microchip|mind control|reading my (?:mind|thoughts)|(?:haven'?t|havent|no|not) (?:slept|sleep)[^.!?]{0,30}(?:days|nights)[^.!?]{0,80}(?:amazing|genius|powers?|unstoppable|never felt better|mission)|"
    r"the (?:tv|television|radio|entities|machine elves)[^.!?]{0,30}(?:talk|speak|told|sending|message)|not real anymore|i(?:'m| am) (?:already )?dead and)\b", re.I)
_WINDOW = re.compile(r"(?<=[.!?;\n])\s+|\n+|\s+(?:also|anyway|btw|by the way|ps|p\.s\.?|oh and|and also|but also)\s+", re.I)
_QUESTION = re.compile(r"\?|\b(?:what|how|why|when|where|who|which|is|are|does|do|can|could|will|should)\b", re.I)


class Screen:
    """Decides what a turn is.

    Args:
        rules: the compiled rules.
        router: None when no model is built; the rules then decide alone and anything else is an answer.
    """

    def __init__(self, rules: RuleSet, router: Classify | None, thresholds: Thresholds | None = None) -> None:
        self._rules, self._router = rules, router
        self._at = thresholds or Thresholds()

    def __call__(self, conversation: Conversation) -> Verdict:
        """The verdict on the conversation's last message."""
        views = normalize(conversation.last)
        earlier = [normalize(t[-2000:]).canonical for t in conversation.earlier[-REMEMBERED_TURNS:]]
        language = detect(views.canonical)
        pairs, spans = self._pairs(views, earlier)
        scored = self._router(pairs) if self._router and pairs else []
        whole = scored[0] if scored else {}
        windows = [scored[i] for i in spans.windows] if scored else []
        others = [scored[i] for i in spans.others] if scored else []
        past = [self._past(text, scored[i] if scored else {}) for text, i in zip(earlier, spans.past, strict=True)]
        remembers = next((c for c in reversed(past) if c and ACTION_OF[c] is Action.CRISIS), None)
        refused = next((c for c in reversed(past[-2:]) if c and ACTION_OF[c] is Action.REFUSE), None)
        usable = tuple(t for t, c in zip(earlier, past, strict=True) if c is None)

        fired = self._rules(views.canonical)
        for other in views.others:
            fired += [r for r in self._rules(other) if r not in fired]
        category, confidence, why = self._decide(views.canonical, fired, whole, windows, others, remembers, refused)
        topics = _topics(whole)
        text = views.canonical
        minor = any(_MINOR.search(t) for t in (text, *earlier))
        return Verdict(
            category, confidence, why, text, language, topics, remembers, usable, self._tone(category, text, earlier, remembers, fired), minor
        )

    def _pairs(self, views: Views, earlier: Sequence[str]) -> tuple[list[tuple[str, str]], _Spans]:
        """Everything the router must see, in one batch, and where each thing lies in it."""
        text = views.canonical
        context = context_of(earlier)
        pairs = [(text[:2000], context)]
        spans = _Spans()
        for piece in _windows(text):
            spans.windows.append(len(pairs))
            pairs.append((piece, ""))
        for other in views.others[:3]:
            spans.others.append(len(pairs))
            pairs.append((other[:1000], context))
        for i, turn in enumerate(earlier):
            spans.past.append(len(pairs))
            pairs.append((turn[:600], context_of(earlier[:i])))
        return pairs, spans

    def _past(self, text: str, scores: Probabilities) -> Category | None:
        """The crisis or refusal that an earlier turn was, or None."""
        category, _, _ = self._decide(text, self._rules(text), scores, [], [], None, None)
        return category if ACTION_OF[category] in (Action.CRISIS, Action.REFUSE) else None

    def _decide(
        self, text: str, fired: Sequence[Rule], whole: Probabilities, windows: Sequence[Probabilities], others: Sequence[Probabilities],
        remembers: Category | None, refused: Category | None,
    ) -> tuple[Category, float, str]:
        by_action = {a: [r for r in fired if ACTION_OF[r.category] is a] for a in Action}
        if crisis := by_action[Action.CRISIS]:
            category = next(c for c in _CRISIS_ORDER if any(r.category is c for r in crisis))
            likely = max(_CRISIS_ORDER, key=lambda c: whole.get(c, 0.0))
            if any(r.category is likely for r in crisis):
                category = likely
            return category, 1.0, "rule " + next(r.id for r in crisis if r.category is category)
        if not whole:
            if remembers and _FINE.match(text):
                return remembers, 1.0, "memory: a crisis is not cleared by this"
            rule = next((r for a in (Action.REFUSE, Action.DEFER, Action.SUPPORT, Action.SMALLTALK) for r in by_action[a]), None)
            return (rule.category, 1.0, f"rule {rule.id}") if rule else (Category.HELP, 0.0, "no router")
        p = _action_probability(whole, Action.CRISIS)
        if p >= self._at.crisis:
            return _likeliest(whole, Action.CRISIS), p, f"router: crisis {p:.2f}"
        for scores in windows:
            q = _action_probability(scores, Action.CRISIS)
            if q >= self._at.crisis_window:
                return _likeliest(scores, Action.CRISIS), q, f"router, in one part: crisis {q:.2f}"
        for scores in others:
            q = _action_probability(scores, Action.CRISIS)
            if q >= self._at.view:
                return _likeliest(scores, Action.CRISIS), q, f"router, decoded: crisis {q:.2f}"
        if remembers and (_FINE.match(text) or (not _QUESTION.search(text) and len(text.split()) <= 12 and remembers is not Category.MEDICAL_EMERGENCY)):
            return remembers, 1.0, "memory: a crisis is not cleared by this"
        if refusals := by_action[Action.REFUSE]:
            payload = [r for r in refusals if r.category is not Category.INJECTION] or refusals
            best = max(payload, key=lambda r: whole.get(r.category, 0.0))
            return best.category, 1.0, f"rule {best.id}"
        p = _action_probability(whole, Action.REFUSE)
        if p >= self._at.refuse:
            return _likeliest(whole, Action.REFUSE), p, f"router: refuse {p:.2f}"
        if refused and p >= self._at.refuse_after_refusal:
            return refused, p, f"memory: continues a refused subject {p:.2f}"
        for scores in windows:
            q = _action_probability(scores, Action.REFUSE)
            if q >= self._at.refuse_window and p >= 0.10:
                return _likeliest(scores, Action.REFUSE), q, f"router, in one part: refuse {q:.2f}"
        for scores in others:
            q = _action_probability(scores, Action.REFUSE)
            if q >= self._at.view:
                return _likeliest(scores, Action.REFUSE), q, f"router, decoded: refuse {q:.2f}"
        p = whole.get(Category.PERSONAL_MEDICAL, 0.0)
        if p >= self._at.defer:
            return Category.PERSONAL_MEDICAL, p, f"router: defer {p:.2f}"
        if rule := next((r for r in by_action[Action.SMALLTALK] + by_action[Action.SUPPORT]), None):
            return rule.category, 1.0, f"rule {rule.id}"
        rest = {c: v for c, v in whole.items() if ACTION_OF[c] not in (Action.CRISIS, Action.REFUSE)}
        # The seven answer topics are one decision first, so that a question near two topics is still answered.
        grouped: dict[Category, float] = {c: v for c, v in rest.items() if ACTION_OF[c] is not Action.ANSWER}
        topic = max(TOPICS, key=lambda c: rest.get(c, 0.0))
        grouped[topic] = sum(rest.get(c, 0.0) for c in TOPICS)
        best_category = max(grouped, key=grouped.__getitem__)
        return best_category, grouped[best_category], f"router: {best_category.value} {grouped[best_category]:.2f}"

    @staticmethod
    def _tone(category: Category, text: str, earlier: Sequence[str], remembers: Category | None, fired: Sequence[Rule]) -> str:
        if category is Category.SELF_HARM:
            if remembers and _FINE.match(text):
                return "fine"
            if _OTHER.search(text) and not _OWN_WISH.search(text) and (not _FIRST_PERSON.search(text) or re.search(r"\b(?:he|she|they|him|her)\b", text, re.I)):
                return "other"
            if any("means" in r.id for r in fired) or (re.search(r"\b(?:bridges?|buildings?|cliffs?|tallest|highest|rooftops?)\b", text, re.I) and _QUESTION.search(text)):
                return "means"
            return "imminent" if _IMMINENT.search(text) else ""
        if category is Category.DISTRESS:
            return "panic" if _PANIC.search(text) else ""
        if category is Category.PERSONAL_MEDICAL:
            if _PSYCHOTIC.search(text):
                return "psychosis"
            return "dependence" if _DEPENDENT.search(text) else ""
        return ""


@dataclass
class _Spans:
    """Where each text lies in the batch that the router sees; the whole message is always at 0."""

    windows: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    past: list[int] = field(default_factory=list)


def _windows(text: str) -> list[str]:
    """Parts of a long message to screen by themselves: sentences, and pairs of short neighbours."""
    if len(text.split()) < 14:
        return []
    pieces = [p.strip() for p in _WINDOW.split(text[:6000]) if p and len(p.split()) >= 3]
    if len(pieces) < 2:
        words = text.split()
        return [" ".join(words[i : i + 30]) for i in range(0, len(words), 20)][:8] if len(words) > 45 else []
    if len(pieces) > 10:
        size = -(-len(pieces) // 10)
        pieces = [" ".join(pieces[i : i + size]) for i in range(0, len(pieces), size)]
    return [p[:600] for p in pieces]


def _action_probability(scores: Probabilities, action: Action) -> float:
    return sum(v for c, v in scores.items() if ACTION_OF[c] is action)


def _likeliest(scores: Probabilities, action: Action) -> Category:
    return max((c for c in scores if ACTION_OF[c] is action), key=scores.__getitem__)


def _topics(scores: Probabilities) -> dict[str, float]:
    total = sum(scores.get(c, 0.0) for c in TOPICS)
    return {c.value: scores.get(c, 0.0) / total for c in TOPICS} if total > 0.05 else {}
