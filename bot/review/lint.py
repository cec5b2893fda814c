"""`lantern knowledge check`: every fault that keeps a card from being called vetted.

Each check yields a `Fault` that names the file, the line, the rule and what mends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlparse

import textstat

from bot.guardrails.amounts import find_amounts
from bot.retrieval.card import Card, Sentence, Source

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

_LICENSED = re.compile(
    r"\b(?:as your (?:doctor|therapist|clinician|nurse)|i(?:'m| am) a (?:doctor|therapist|clinician|nurse)|clinician-guided|"
    r"we (?:diagnose|treat|prescribe)|our (?:doctors|therapists|clinicians)|your treatment plan from us|hipaa[- ]compliant)\b", re.I)
# https://suicidepreventionmessaging.org/safety/tips-messaging-safely
_UNSAFE_MESSAGING = re.compile(
    r"\b(?:commit(?:s|ted|ting)? suicide|(?:successful|failed|completed) suicide|suicide (?:epidemic|victim)|"
    r"addicts?|junkies?|abusers?|drug abuse|the mentally ill|clean (?:from|of) drugs|hang(?:ed|ing) (?:him|her|them)sel(?:f|ves))\b", re.I)
_ABSOLUTE = re.compile(
    r"\b(?:(?:completely|totally|absolutely|perfectly|100%) (?:safe|effective)|miracle|no side effects|guaranteed?(?! (?:a )?cure)|risk[- ]free)\b", re.I)
_STRONG = re.compile(r"\b(?:proven|proves|proved|definitely|certainly|always works|is known to work|established that)\b", re.I)
_NEGATED = re.compile(r"\b(?:no|not|never|isn't|aren't|cannot|can't|nobody|nothing|without|beware|red flag|claims?|claiming|promis\w+|says?|warning|myth|if (?:a|the|any))\b", re.I)
_PRICE_TO_BUY = re.compile(r"[$£€]\s?\d[\d,.]*\s*(?:a|per|/)\s*(?:gram|vial|bottle|lozenge|tablet|pill|dose)\b", re.I)
_VENDOR = re.compile(r"\b(?:order (?:online|now)|buy (?:now|ketamine online)|add to cart|discreet (?:shipping|packaging)|telegram|wickr|whatsapp us|darknet market)\b", re.I)
_URL = re.compile(r"(?:https?://|www\.)[^\s)>\]]+", re.I)
_EMPTY_WORDS = frozenset(["a", "an", "the", "is", "are", "was", "were", "be", "been", "to", "of", "in", "on", "at", "for", "and", "or", "but", "it", "that", "this", "with", "as", "by", "from", "can", "may", "not", "do", "does"])


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
    """What the checks look at: all cards, all sources, the hosts a link may have, and today."""

    cards: dict[str, Card]
    sources: dict[str, Source]
    link_hosts: frozenset[str]
    today: date


def reading_grade(text: str) -> float:
    """US school grade of `text`: the mean of Flesch-Kincaid and SMOG after unavoidable terms are shortened.

    SMOG is left out under 3 sentences, where its formula is undefined.
    """
    for term in UNAVOIDABLE_TERMS:
        text = re.sub(rf"\b{term}\b", "drug", text, flags=re.I)
    text = re.sub(r"[\[(][^\])]*[\])]", "", text)
    kincaid = float(textstat.flesch_kincaid_grade(text))
    if textstat.sentence_count(text) < 3:
        return kincaid
    return (kincaid + float(textstat.smog_index(text))) / 2


def card_text(card: Card) -> str:
    """All prose of a card that a visitor may read, without citation markers."""
    return " ".join(s.text for p in card.passages for s in p.sentences) + " " + " ".join(s.text for s in card.sure)


def _all_text(card: Card) -> Iterator[tuple[int, str]]:
    yield 1, card.title
    for question in card.questions:
        yield 1, question
    for sentence in card.sentences():
        yield sentence.line, sentence.text
    for ask in card.ask:
        yield 1, ask


def _amounts(card: Card, _: Library) -> Iterator[Fault]:
    for line, text in _all_text(card):
        for amount in find_amounts(text):
            yield Fault(card.path, line, "amount", f"“{amount.text}” reads as an amount or schedule ({amount.kind})",
                        "Say it without how much or how often, such as “a single infusion” or “repeated treatment”")


def _wording(card: Card, _: Library) -> Iterator[Fault]:
    for line, text in _all_text(card):
        if m := _LICENSED.search(text):
            yield Fault(card.path, line, "licensed-claim", f"“{m[0]}” sounds like licensed care (R-03)", "Say who does it instead")
        if m := _UNSAFE_MESSAGING.search(text):
            yield Fault(card.path, line, "safe-messaging", f"“{m[0]}” (R-25)", "Use “died by suicide”, “people who use drugs”, “misuse”")
        if m := _PRICE_TO_BUY.search(text) or _VENDOR.search(text):
            yield Fault(card.path, line, "vendor", f"“{m[0]}” points to a seller or a price to buy", "Remove it")
        if (m := _ABSOLUTE.search(text)) and not _NEGATED.search(text):
            yield Fault(card.path, line, "absolute", f"“{m[0]}” promises too much", "Say what was seen, in whom")
        if card.certainty in ("limited", "contested") and (m := _STRONG.search(text)) and not _NEGATED.search(text) and "?" not in text:
            yield Fault(card.path, line, "strength", f"“{m[0]}” is stronger than certainty '{card.certainty}' (R-37)", "Use “may”, “one small trial found”")


def _links(card: Card, lib: Library) -> Iterator[Fault]:
    for line, text in _all_text(card):
        for url in _URL.findall(text):
            host = urlparse(url if "://" in url else "https://" + url).hostname or ""
            if host.removeprefix("www.") not in lib.link_hosts:
                yield Fault(card.path, line, "link", f"host '{host}' is not on the allow-list", "Cite a source instead of a bare link")


def _citations(card: Card, lib: Library) -> Iterator[Fault]:
    for sentence in card.sentences():
        for sid in sentence.sources:
            if sid not in lib.sources:
                yield Fault(card.path, sentence.line, "citation", f"source '{sid}' is not in sources.yaml", "Correct the id or add the source")
            elif "retracted" in (lib.sources[sid].title + lib.sources[sid].id).lower() and "retract" not in card.title.lower():
                yield Fault(card.path, sentence.line, "citation", f"source '{sid}' is retracted", "Use other evidence")
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


def _shape(card: Card, lib: Library) -> Iterator[Fault]:
    if not 5 <= len(card.questions) <= 12:
        yield Fault(card.path, 1, "questions", f"{len(card.questions)} questions", "Give 5 to 10 different wordings")
    if not card.sure:
        yield Fault(card.path, 1, "sure", "no “How sure is this?” section", "Add it, cited")
    if card.review_by < lib.today:
        yield Fault(card.path, 1, "review_by", f"was due on {card.review_by}", "Re-read the sources and move the date", "warning")
    if card.expired(lib.today):
        yield Fault(card.path, 1, "expires_on", f"expired on {card.expires_on}; it is withheld", "Update the card", "warning")
    if card.certainty in ("law", "service-info") and card.expires_on is None:
        yield Fault(card.path, 1, "expires_on", f"a '{card.certainty}' card must expire (R-87)", "Set expires_on")
    for other in card.related:
        if other not in lib.cards:
            yield Fault(card.path, 1, "related", f"no card '{other}'", "Name an existing card", "warning")
    for signoff in card.clinical_signoff:
        if signoff.content_hash != card.content_hash:
            yield Fault(card.path, 1, "signoff", f"{signoff.name} signed another version", "Sign again or remove it", "warning")


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower())) - _EMPTY_WORDS


def _duplicates(lib: Library) -> Iterator[Fault]:
    seen: dict[str, Card] = {}
    for card in lib.cards.values():
        for question in card.questions:
            key = " ".join(re.findall(r"[a-z0-9]+", question.lower()))
            if key in seen and seen[key].id != card.id:
                yield Fault(card.path, 1, "duplicate", f"“{question}” is also asked in {seen[key].id}", "Keep it in the card that answers it best")
            seen[key] = card
    cards = list(lib.cards.values())
    texts = [_words(card_text(c)) for c in cards]
    for i, a in enumerate(cards):
        for j in range(i):
            overlap = len(texts[i] & texts[j]) / max(1, min(len(texts[i]), len(texts[j])))
            if overlap > 0.8:
                yield Fault(a.path, 1, "duplicate", f"says nearly the same as {cards[j].id}", "Merge them", "warning")


CARD_CHECKS: tuple[Callable[[Card, Library], Iterator[Fault]], ...] = (
    _shape, _amounts, _wording, _links, _citations, _reading,
)


def check(library: Library) -> list[Fault]:
    """Run every check; an empty list means that the knowledge base is clean."""
    faults = [f for card in library.cards.values() for c in CARD_CHECKS for f in c(card, library)]
    faults.extend(_duplicates(library))
    for source in library.sources.values():
        if not source.type or not source.year:
            faults.append(Fault("knowledge/sources.yaml", 1, "source", f"'{source.id}' lacks a type or year", "Add it"))
    return faults
