"""`lantern knowledge check`: every fault that keeps a card from being called vetted.

Each check yields a `Fault` that names the file, the line, the rule and what mends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import textstat

from bot.guardrails.amounts import find_amounts
from bot.guardrails.wording import host_of
from bot.retrieval.card import Card, Sentence, Source
from bot.writers.planted import planted

# Words a plain answer on this subject cannot do without. For the reading grade each is counted as one
# short word; the list is reviewed by hand, and a word enters it only if no plainer one says the same.
UNAVOIDABLE_TERMS = (
    "esketamine", "ketamine", "spravato", "anxiety", "medicines", "medicine", "medication", "depression",
    "clinician", "psychiatrist", "generalized", "dissociation", "benzodiazepines", "antidepressants",
    "antidepressant", "telehealth", "pregnancy", "breastfeeding", "obsessive", "compulsive", "anesthetic",
    "anesthesia", "psychosis", "bipolar", "disorders", "disorder", "therapist", "therapy", "arketamine",
    "glutamate", "serotonin", "veterans", "suicidal", "suicide", "cognitive", "behavioral", "emergency",
)
MAX_GRADE = 10.0
KEEP_WORDS = 32
# A card's sources are read again within this many days.
REVIEW_DAYS = 366
# From the firmest to the least firm; a card may not sound firmer than the firmest fact that it rests on.
FIRMNESS = {"established": 4, "law": 4, "service-info": 4, "good-evidence": 3, "guidance": 3, "limited": 2, "contested": 1}
EMERGENCY = re.compile(r"\b(?:988|911)\b")
MUST_EXPIRE = ("law", "service-info")
PENDING = "awaiting-second:"

_UNAVOIDABLE = re.compile(rf"\b(?:{'|'.join(UNAVOIDABLE_TERMS)})\b", re.I)
_LICENSED = re.compile(
    r"\b(?:as your (?:doctor|therapist|clinician|nurse)|i(?:'m| am) a (?:doctor|therapist|clinician|nurse)|clinician-guided|"
    r"we (?:diagnose|treat|prescribe)|our (?:doctors|therapists|clinicians)|your treatment plan from us|hipaa[- ]compliant)\b", re.I)
# https://suicidepreventionmessaging.org/safety/tips-messaging-safely
_UNSAFE_MESSAGING = re.compile(
    r"\b(?:commit(?:s|ted|ting)? suicide|(?:successful|failed|completed) suicide|suicide (?:epidemic|victim)|"
    r"addicts?|junkies?|abusers?|(?<!Institute on )drug abuse|the mentally ill|clean (?:from|of) drugs|hang(?:ed|ing) (?:him|her|them)sel(?:f|ves))\b", re.I)
_ABSOLUTE = re.compile(
    r"\b(?:(?:completely|totally|absolutely|perfectly|100%) (?:safe|effective)|miracle|no side effects|guaranteed?(?! (?:a )?cure)|risk[- ]free)\b", re.I)
_STRONG = re.compile(r"\b(?:proven|proves|proved|definitely|certainly|always works|is known to work|established that)\b", re.I)
_NEGATED = re.compile(r"\b(?:no|not|never|isn't|aren't|cannot|can't|nobody|nothing|without|beware|red flag|claims?|claiming|promis\w+|says?|warning|myth|if (?:a|the|any))\b", re.I)
_PRICE_TO_BUY = re.compile(r"[$£€]\s?\d[\d,.]*\s*(?:a|per|/)\s*(?:gram|vial|bottle|lozenge|tablet|pill|dose)\b", re.I)
_VENDOR = re.compile(r"\b(?:order (?:online|now)|buy (?:now|ketamine online)|add to cart|discreet (?:shipping|packaging)|telegram|wickr|whatsapp us|darknet market)\b", re.I)
_URL = re.compile(r"(?:https?://|www\.)[^\s)>\]]+", re.I)
_EMPTY_WORDS = frozenset([
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "to", "of", "in", "on", "at", "for",
    "and", "or", "but", "it", "that", "this", "with", "as", "by", "from", "can", "may", "not", "do", "does",
])


@dataclass(frozen=True)
class Fault:
    """One fault of one file. `severity` is 'error' (fails the check) or 'warning'."""

    path: str
    line: int
    rule: str
    problem: str
    remedy: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.problem}. {self.remedy}."


@dataclass(frozen=True)
class Library:
    """What the card checks look at: all cards, all sources, the hosts a link may have, today, and each card's file text."""

    cards: dict[str, Card]
    sources: dict[str, Source]
    link_hosts: frozenset[str]
    today: date
    texts: Mapping[str, str] = field(default_factory=dict)

    def line(self, card: Card, needle: str) -> int:
        """The line of the card's file where `needle` first stands; 1 when it does not."""
        lines = self.texts.get(card.id, "").splitlines()
        return next((i for i, line in enumerate(lines, 1) if needle in line), 1)


def reading_grade(text: str) -> float:
    """US school grade of `text`: the mean of Flesch-Kincaid and SMOG after unavoidable terms are shortened.

    SMOG is left out under 3 sentences, where its formula is undefined.
    """
    text = _UNAVOIDABLE.sub("drug", text)
    text = re.sub(r"[\[(][^\])]*[\])]", "", text)
    kincaid = float(textstat.flesch_kincaid_grade(text))
    if textstat.sentence_count(text) < 3:
        return kincaid
    return (kincaid + float(textstat.smog_index(text))) / 2


def card_text(card: Card) -> str:
    """All prose of a card that a visitor may read, without citation markers."""
    return " ".join(s.text for s in _prose(card))


def _prose(card: Card) -> tuple[Sentence, ...]:
    return (*(s for p in card.passages for s in p.sentences), *card.keep, *card.sure)


def _all_text(card: Card, lib: Library) -> Iterator[tuple[int, str]]:
    yield lib.line(card, "title:"), card.title
    for question in card.questions:
        yield lib.line(card, question), question
    for sentence in card.sentences():
        yield sentence.line, sentence.text
    for ask in card.ask:
        yield lib.line(card, ask), ask


def _amounts(card: Card, lib: Library) -> Iterator[Fault]:
    for line, text in _all_text(card, lib):
        for amount in find_amounts(text):
            yield Fault(card.path, line, "amount", f"“{amount.text}” reads as an amount or schedule ({amount.kind})",
                        "Say it without how much or how often, such as “a single infusion” or “repeated treatment”")


def _wording(card: Card, lib: Library) -> Iterator[Fault]:
    for line, text in _all_text(card, lib):
        if m := _LICENSED.search(text):
            yield Fault(card.path, line, "licensed-claim", f"“{m[0]}” sounds like licensed care (R-03)", "Say who does it instead")
        if m := _UNSAFE_MESSAGING.search(text):
            yield Fault(card.path, line, "safe-messaging", f"“{m[0]}” (R-25)", "Use “died by suicide”, “people who use drugs”, “misuse”")
        if order := planted(text):
            yield Fault(card.path, line, "planted-order", f"“{order}” gives an order to a program (R-38)", "Find out who wrote it, and remove it")
        if m := _PRICE_TO_BUY.search(text) or _VENDOR.search(text):
            yield Fault(card.path, line, "vendor", f"“{m[0]}” points to a seller or a price to buy", "Remove it")
        if (m := _ABSOLUTE.search(text)) and not _NEGATED.search(text):
            yield Fault(card.path, line, "absolute", f"“{m[0]}” promises too much", "Say what was seen, in whom")
        if card.certainty in ("limited", "contested") and (m := _STRONG.search(text)) and not _NEGATED.search(text) and "?" not in text:
            yield Fault(card.path, line, "strength", f"“{m[0]}” is stronger than certainty '{card.certainty}' (R-37)", "Use “may”, “one small trial found”")


def _links(card: Card, lib: Library) -> Iterator[Fault]:
    for line, text in _all_text(card, lib):
        for url in _URL.findall(text):
            if (host := host_of(url)) not in lib.link_hosts:
                yield Fault(card.path, line, "link", f"host '{host}' is not on the allow-list", "Cite a source instead of a bare link")


def _retracted(text: str) -> bool:
    return "retract" in text.lower()


def _citations(card: Card, lib: Library) -> Iterator[Fault]:
    about_retraction = _retracted(card.title + card.id)
    for sentence in card.sentences():
        for sid in sentence.sources:
            if sid not in lib.sources:
                yield Fault(card.path, sentence.line, "citation", f"source '{sid}' is not in sources.yaml", "Correct the id or add the source")
            elif _retracted(lib.sources[sid].title + sid) and not about_retraction:
                yield Fault(card.path, sentence.line, "retracted", f"source '{sid}' is retracted", "Use other evidence")
        if _several_sentences(sentence):
            yield Fault(card.path, sentence.line, "citation", f"one citation covers several sentences: “{sentence.text[:70]}…”",
                        "Cite each sentence on its own (a lead-in of up to four words may share)")


def _several_sentences(sentence: Sentence) -> bool:
    parts = [p for p in re.split(r"(?<=[.!?])[”\"')]*\s+(?=[A-Z“\"])", sentence.text) if p]
    parts = [p for p in parts if not re.search(r"\b(?:U\.S|U\.K|Dr|vs|e\.g|i\.e|No)\.$", p)]
    return len([p for p in parts if len(p.split()) > 4]) > 1


def _reading(card: Card, _: Library) -> Iterator[Fault]:
    grade = reading_grade(card_text(card))
    if grade > MAX_GRADE:
        yield Fault(card.path, 1, "reading-grade", f"grade {grade:.1f} is over {MAX_GRADE:.0f} (R-50)", "Shorten the sentences and use plainer words")
    if len(" ".join(s.text for s in card.passages[0].sentences).split()) > 75:
        yield Fault(card.path, 1, "main-message", "the first paragraph is over 75 words (R-51)", "Put the main message in two or three short sentences")
    for p in card.passages:
        if len(p.text.split()) > 110:
            yield Fault(card.path, p.sentences[0].line, "passage-length", "a paragraph is over 110 words", "Split it")
    if sum(len(s.text.split()) for s in card.keep) > KEEP_WORDS:
        yield Fault(card.path, card.keep[0].line, "keep", f"“Keep in mind” is over {KEEP_WORDS} words", "Keep the one line that no answer may lack")


def _shape(card: Card, lib: Library) -> Iterator[Fault]:
    if not 5 <= len(card.questions) <= 12:
        yield Fault(card.path, lib.line(card, "questions:"), "questions", f"{len(card.questions)} questions", "Give 5 to 10 different wordings")
    if not card.sure:
        yield Fault(card.path, 1, "sure", "no “How sure is this?” section", "Add it, cited")
    for other in card.related:
        if other not in lib.cards or other == card.id:
            yield Fault(card.path, lib.line(card, "related:"), "related", f"no other card '{other}'", "Name an existing card", "warning")


def _dates(card: Card, lib: Library) -> Iterator[Fault]:
    due, expiry = lib.line(card, "review_by:"), lib.line(card, "expires_on:")
    if card.sources_checked > lib.today:
        yield Fault(card.path, lib.line(card, "sources_checked:"), "sources_checked", f"{card.sources_checked} is in the future", "Give the day on which the sources were read")
    if card.review_by < lib.today:
        yield Fault(card.path, due, "review_by", f"was due on {card.review_by}", "Re-read the sources and move the date", "warning")
    if card.review_by > card.sources_checked + timedelta(days=REVIEW_DAYS):
        yield Fault(card.path, due, "review_by", f"{card.review_by} is more than a year after the sources were read", "Set an earlier date")
    if card.expired(lib.today):
        yield Fault(card.path, expiry, "expired", f"expired on {card.expires_on}; it is withheld", "Read the sources again, update the card and move the date", "warning")
    if card.certainty in MUST_EXPIRE and card.expires_on is None:
        yield Fault(card.path, lib.line(card, "certainty:"), "expires_on", f"a '{card.certainty}' card must expire (R-87)", "Set expires_on (or run with --fix)")
    if card.certainty not in MUST_EXPIRE and card.expires_on and EMERGENCY.search(card_text(card)):
        yield Fault(card.path, expiry, "emergency", "emergency information would be withheld when the card expires",
                    "Remove expires_on; review_by still asks for a fresh look (or run with --fix)")


def _signoffs(card: Card, lib: Library) -> Iterator[Fault]:
    for signoff in card.clinical_signoff:
        line = lib.line(card, signoff.content_hash)
        if signoff.content_hash == PENDING + card.content_hash:
            yield Fault(card.path, line, "signoff", f"signed by {signoff.name}; waits for a second person", "Have another clinician sign with --two", "warning")
        elif signoff.content_hash != card.content_hash:
            yield Fault(card.path, line, "signoff", f"{signoff.name} signed another version on {signoff.date}; the signature is void", "Have the card signed again", "warning")


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower())) - _EMPTY_WORDS


def _duplicates(lib: Library) -> Iterator[Fault]:
    seen: dict[str, Card] = {}
    for card in lib.cards.values():
        for question in card.questions:
            key = " ".join(re.findall(r"[a-z0-9]+", question.lower()))
            if key in seen and seen[key].id != card.id:
                yield Fault(card.path, lib.line(card, question), "duplicate", f"“{question}” is also asked in {seen[key].id}", "Keep it in the card that answers it best")
            seen[key] = card
    cards = list(lib.cards.values())
    texts = [_words(card_text(c)) for c in cards]
    for i, a in enumerate(cards):
        for j in range(i):
            overlap = len(texts[i] & texts[j]) / max(1, min(len(texts[i]), len(texts[j])))
            if overlap > 0.8:
                yield Fault(a.path, 1, "duplicate", f"says nearly the same as {cards[j].id}", "Merge them", "warning")


_NEGATIVE = re.compile(r"\b(?:not|no|never|none|nobody|cannot|can't|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|without|neither|nor)\b", re.I)
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


def _stems(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"(?:ies|es|s|ed|ing)$", "", w) for w in _words(text) if len(w) > 2 and not w.isdigit())


def _denies(text: str) -> bool:
    """Whether the sentence proper, without a lead-in such as “Some do not:”, holds a negation."""
    return bool(_NEGATIVE.search(re.sub(r"^[^:]{0,24}:\s", "", text)))


def _contradictions(lib: Library) -> Iterator[Fault]:
    """Pairs of nearly equal sentences in different cards that differ in a “not”, or in a figure from the same source.

    It compares words, not meaning: it finds the slip of an editor who changed one card and forgot its neighbour.
    """
    rows = [(card, s, _stems(s.text)) for card in lib.cards.values() for s in _prose(card)]
    holders: dict[str, list[int]] = {}
    for i, (_, _, stems) in enumerate(rows):
        for stem in stems:
            holders.setdefault(stem, []).append(i)
    for i, (card, sentence, stems) in enumerate(rows):
        if len(stems) < 4:
            continue
        shared: dict[int, int] = {}
        for stem in stems:
            if len(holders[stem]) < 200:  # frequent words decide nothing
                for j in holders[stem]:
                    if j < i:
                        shared[j] = shared.get(j, 0) + 1
        for j, common in shared.items():
            other, twin, theirs = rows[j]
            if other.id == card.id or common < 2 or len(stems & theirs) < 0.8 * len(stems | theirs):
                continue
            # A sentence that only adds a clause to the other does not contradict it.
            negated = not (stems < theirs or theirs < stems) and _denies(sentence.text) != _denies(twin.text)
            figures = set(_FIGURE.findall(sentence.text)), set(_FIGURE.findall(twin.text))
            unequal = bool(figures[0] - figures[1] and figures[1] - figures[0] and set(sentence.sources) & set(twin.sources))
            if negated or unequal:
                yield Fault(card.path, sentence.line, "contradiction", f"“{sentence.text}” may contradict “{twin.text}” in {other.id}",
                            "Read both; make them agree, or say in both what differs", "warning")


CARD_CHECKS: tuple[Callable[[Card, Library], Iterator[Fault]], ...] = (
    _shape, _dates, _signoffs, _amounts, _wording, _links, _citations, _reading,
)


def check(library: Library) -> list[Fault]:
    """Run every check of the cards; an empty list means that they are clean. `tables` checks the rest of the knowledge base."""
    faults = [f for card in library.cards.values() for c in CARD_CHECKS for f in c(card, library)]
    faults.extend(_duplicates(library))
    faults.extend(_contradictions(library))
    return faults
