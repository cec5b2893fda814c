"""The fixed replies: what a crisis reply must hold, what a refusal must offer, and how plainly all of them speak."""

from __future__ import annotations

import itertools
import re
import statistics
from difflib import SequenceMatcher
from pathlib import Path

import pytest
import textstat

from bot.conversation import Category
from bot.guardrails import wording
from bot.guardrails.amounts import find_amounts
from bot.helplines import Helplines
from bot.retrieval.card import Card
from bot.writers.replies import Replies

from ..conftest import Ask

CRISIS = ("self_harm", "self_harm_imminent", "self_harm_means", "self_harm_other", "harm_to_others", "medical_emergency")
AFTER = ("self_harm_fine",)
REFUSALS = ("dosing", "sourcing", "misuse", "injection")
ACKNOWLEDGES = re.compile(
    r"glad you|thank you for|i hear|i'm sorry|it sounds like|that sounds|i'm (?:very )?worried|your life matters|still here|frightening|what you said|may be an emergency"
    "|get medical help first", re.I)
PROFESSIONAL = re.compile(r"\b(?:doctors?|clinician|therapist|counsel(?:l)?or|nurse|clinic|professional|emergency team|crisis worker|trained person)\b", re.I)
TRUSTED = re.compile(r"\b(?:you trust|trusted|friend|family|someone close|person close|someone near|somebody you trust)\b", re.I)
SCOLDS = re.compile(r"\b(?:you should not|shouldn't have|shame|irresponsible|illegal activity|i can't talk about|promise me|selfish|just (?:calm|cheer)|look on the bright)\b",
    re.I)
UNSAFE_STYLE = re.compile(r"\bcommit(?:ted|s|ting)? suicide|successful suicide|failed attempt|suicide epidemic\b", re.I)


def each(replies: Replies, names: tuple[str, ...]) -> list[tuple[str, int, str]]:
    return [(name, i, text) for name in names for i, text in enumerate(replies.wordings(name))]


def plain(text: str) -> str:
    """A wording as it is read aloud: placeholders and markup out."""
    return re.sub(r"\{\w+\}|\*\*|[“”\"]", "", text)


def test_every_reply_the_assistant_names_exists(replies: Replies) -> None:
    for name in (*CRISIS, *AFTER, *REFUSALS, "distress", "panic", "off_topic", "not_covered", "personal_medical", "personal_medical_bare", "personal_medical_end", "error",
        "withheld",
                 "sticky", "minor", "minor_treatment", "minor_personal", "expired", "psychosis", "dependence", "greeting", "identity", "privacy", "thanks", "bye", "ack", "empty"):
        assert replies.wordings(name)
        assert all(w.strip() for w in replies.wordings(name))


def test_crisis_wordings_acknowledge_first(replies: Replies) -> None:
    """R-16 and R-18."""
    for name, i, text in each(replies, CRISIS):
        assert ACKNOWLEDGES.search(" ".join(text.split()[:30])), (name, i)


def test_crisis_wordings_ask_at_most_one_question(replies: Replies) -> None:
    """R-16 and R-20: one direct question, no interview."""
    for name, i, text in each(replies, (*CRISIS, *AFTER)):
        assert text.count("?") <= 1, (name, i)


def test_crisis_wordings_have_lines_and_the_emergency_number(replies: Replies) -> None:
    """R-16."""
    for name, i, text in each(replies, (*CRISIS, *AFTER)):
        assert "{lines}" in text, (name, i)
        assert "{emergency}" in text, (name, i)


def test_crisis_wordings_name_a_professional_and_a_trusted_person(replies: Replies) -> None:
    """R-16."""
    for name, i, text in each(replies, (*CRISIS, *AFTER)):
        assert PROFESSIONAL.search(text), (name, i)
        assert TRUSTED.search(text), (name, i)


def test_imminent_danger_adds_company_and_distance_without_methods(replies: Replies) -> None:
    """R-17."""
    for _, i, text in each(replies, ("self_harm_imminent",)):
        assert re.search(r"be with someone|stay with you|don't stay alone", text, re.I), i
        assert re.search(r"distance between you|move away from", text, re.I), i
    for name, i, text in each(replies, (*CRISIS, *AFTER, "distress", "panic")):
        assert not wording.METHOD.search(text), (name, i)
        assert not re.search(r"\b(?:rope|noose|knife|blade|gun|pills?|bridge|train|jump|hang|overdose)\b", text, re.I), (name, i)


def test_crisis_wordings_do_not_scold_or_close_the_chat(replies: Replies) -> None:
    """R-18."""
    for name, i, text in each(replies, (*CRISIS, *AFTER, "distress", "panic", "psychosis", "dependence")):
        assert not SCOLDS.search(text), (name, i)
        assert not re.search(r"\b(?:goodbye|this chat (?:is|will be) closed|end this (?:chat|conversation))\b", text, re.I), (name, i)


def test_crisis_wordings_are_short(replies: Replies) -> None:
    """R-19: at most 120 words before the lines are filled in."""
    for name, i, text in each(replies, (*CRISIS, *AFTER)):
        assert len(plain(text).split()) <= 120, (name, i, len(plain(text).split()))


@pytest.mark.parametrize("name", [*CRISIS, *AFTER, *REFUSALS, "distress", "personal_medical", "not_covered", "off_topic", "sticky"])
def test_wordings_differ(replies: Replies, name: str) -> None:
    """R-19: nobody gets the same block twice in a row."""
    for a, b in itertools.combinations(replies.wordings(name), 2):
        assert SequenceMatcher(None, a, b, autojunk=False).ratio() < 0.9


@pytest.mark.parametrize("name", ["self_harm", "harm_to_others", "medical_emergency", *REFUSALS, "distress"])
def test_there_are_several_wordings(replies: Replies, name: str) -> None:
    assert len(replies.wordings(name)) >= 2


def test_two_crisis_turns_in_a_row_differ(ask_bare: Ask) -> None:
    """R-19."""
    first, second = ask_bare("I want to kill myself"), ask_bare("I want to kill myself", "I really want to kill myself")
    assert first.text != second.text
    assert SequenceMatcher(None, first.text, second.text, autojunk=False).ratio() < 0.9


def test_refusals_say_what_lantern_can_do_and_where_to_go(replies: Replies) -> None:
    """R-32 and R-41: a qualified provider, no shaming."""
    for name, i, text in each(replies, REFUSALS):
        assert re.search(r"\b(?:doctor|pharmacist|prescriber|clinician|qualified provider|licensed clinic)\b", text, re.I), (name, i)
        assert re.search(r"\bi can (?:tell|explain|help|answer)|what i can do|i'm (?:happy|glad) to|ask me\b", text, re.I), (name, i)
        assert not SCOLDS.search(text), (name, i)
        assert not wording.VENDOR.search(text), (name, i)


def test_deferrals_forbid_nothing_and_order_nothing(replies: Replies) -> None:
    """R-40."""
    for name, i, text in each(replies, ("personal_medical", "personal_medical_bare", "personal_medical_end", "dependence")):
        assert not wording.ORDERS.search(text), (name, i)
        assert PROFESSIONAL.search(text) or "pharmacist" in text, (name, i)


def test_emergency_wordings_call_first(replies: Replies) -> None:
    """R-23: the emergency number stands in the first sentences, before any advice, and nobody is told that it is nothing."""
    for _, i, text in each(replies, ("medical_emergency",)):
        assert "{emergency}" in " ".join(text.split()[:12]), i
        assert not re.search(r"you(?:'re| are) (?:fine|ok)|nothing to worry|will be fine|probably", text, re.I), i


def test_psychosis_is_neither_affirmed_nor_debated(replies: Replies) -> None:
    """R-28."""
    for _, i, text in each(replies, ("psychosis",)):
        assert PROFESSIONAL.search(text), i
        assert not re.search(r"\b(?:that's true|you are right|not real|delusion|imagin|crazy|hallucinat)", text, re.I), i


def test_who_am_i_is_said_plainly(replies: Replies) -> None:
    """R-01 and R-02: an AI, not a person, not a clinician."""
    for text in (*replies.wordings("greeting"), *replies.wordings("identity")):
        assert re.search(r"\bAI\b", text)
        assert re.search(r"not a clinician|not a doctor", text)
    assert "not a person" in replies.wordings("identity")[0]


@pytest.mark.parametrize("question", ["are you a human?", "are you a real person", "are you a doctor?", "am I talking to a bot", "are you an AI?", "is there a person there?",
    "who are you?"])
def test_asked_whether_it_is_human_it_says_what_it_is(ask: Ask, question: str) -> None:
    """R-02."""
    assert re.search(r"\bAI\b", ask(question).text)


def test_what_happens_to_my_words_is_answered_shortly(replies: Replies) -> None:
    """R-76: three lines or so."""
    (text,) = replies.wordings("privacy")
    assert len(re.findall(r"[.!?](?:\s|$)", text)) <= 3 or len(text.split()) <= 60
    assert re.search(r"not stored|nothing you type is stored", text)


def test_no_fixed_reply_holds_an_amount_or_a_claim_to_be_a_clinician(replies: Replies) -> None:
    """R-03 and R-30."""
    for name, i, text in each(replies, replies.names):
        assert find_amounts(text) == [], (name, i)
        assert not wording.LICENSED.search(text), (name, i)
        assert not UNSAFE_STYLE.search(text), (name, i)


def test_cards_speak_safely_of_suicide(cards: dict[str, Card]) -> None:
    """R-25."""
    for card in cards.values():
        for sentence in card.sentences():
            assert not UNSAFE_STYLE.search(sentence.text), card.id


def test_fixed_replies_read_easily(replies: Replies) -> None:
    """R-50: a median grade of 8 or lower, none above 10."""
    grades = {(n, i): textstat.flesch_kincaid_grade(plain(text)) for n, i, text in each(replies, replies.names) if len(text.split()) > 15}
    assert statistics.median(grades.values()) <= 8.0
    assert {k: g for k, g in grades.items() if g > 10.0} == {}


def test_placeholders_are_known_and_all_filled(replies: Replies) -> None:
    for name, i, text in each(replies, replies.names):
        assert set(re.findall(r"\{(\w+)\}", text)) <= {"lines", "line", "emergency", "url", "title"}, (name, i)
        assert "{" not in replies.text(name, i, "GB", url="https://www.who.int/", title="What is anxiety?"), (name, i)


LANGUAGES = ("es", "fr", "de", "pt", "it", "pl", "ru", "zh", "hi", "ar")


def test_ten_languages_and_more(replies: Replies) -> None:
    assert set(LANGUAGES) <= set(replies.languages)


def test_translated_crisis_replies_hold_lines_and_numbers(replies: Replies) -> None:
    """R-16 in every language."""
    for language in replies.languages:
        for name in ("crisis", "harm"):
            text = replies.translated(language, name, "DE") or ""
            assert replies.helplines.lines("DE").splitlines()[0] in text, (language, name)
            assert "112" in text, (language, name)
            assert sum(text.count(mark) for mark in "?？؟") <= 1, (language, name)
        assert "112" in (replies.translated(language, "emergency", "DE") or ""), language


def test_every_language_says_that_it_is_an_ai(replies: Replies) -> None:
    """R-01 in every language."""
    for language in replies.languages:
        assert replies.translated(language, "disclosure"), language


def test_an_unknown_language_has_no_reply(replies: Replies) -> None:
    assert replies.translated("xx", "crisis") is None
    assert replies.translated("es", "no-such-reply") is None


def test_offers_name_real_cards(replies: Replies, cards: dict[str, Card]) -> None:
    """R-41: a refusal offers what Lantern can tell."""
    for category in Category:
        assert set(replies.offers(category.value)) <= set(cards), category
    for name in REFUSALS:
        assert replies.offers(name), name


def test_an_empty_folder_says_so(tmp_path: Path, helplines: Helplines) -> None:
    with pytest.raises(FileNotFoundError, match="LANTERN_PROMPTS_DIR"):
        Replies(tmp_path, helplines)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("country", [None, "XX"])
def test_a_translated_emergency_reply_holds_no_english_when_the_country_is_unknown(replies: Replies, language: str, country: str | None) -> None:
    text = replies.translated(language, "emergency", country, "poison")
    assert text is not None
    assert "112" in text
    assert "emergency number" not in text
