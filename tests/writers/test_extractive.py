"""The extractive writer: the right passages, every sentence cited, two-part questions, length."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

import pytest
import textstat

from bot.assistant import CONFIDENT, SURE, Assistant
from bot.conversation import Action, Conversation, Draft
from bot.load import load_assistant
from bot.retrieval.card import Card, Passage, Sentence, parse_card
from bot.writers import extractive
from bot.writers.extractive import HOW_SURE, KEEP, MORE_WORDS, WORDS, Place, asks_yes_or_no, bare, choose, compose, question_parts, related_questions
from bot.writers.replies import Replies

from ..conftest import Ask, Small
from ..retrieval.test_retriever import STARRED


@dataclass
class Hit:
    card: Card
    similarity: float = 0.8
    passage_similarity: tuple[float, ...] = ()
    lead: int = 0

    def __post_init__(self) -> None:
        self.passage_similarity = self.passage_similarity or (0.8,) * len(self.card.passages)


def card(id: str, *passages: str) -> Card:
    text = f"---\nid: {id}\ntitle: A title for {id}?\ntopic: risks\nquestions: [a b c, d e f, g h i]\ncertainty: limited\nsources_checked: 2026-01-01\nreview_by: 2027-01-01\n---\n"
    text += "\n\n".join(f"{p} [^{id}]" for p in passages) + "\n"
    return parse_card(text)


FULL = parse_card("""---
id: one
title: A title for one?
topic: risks
questions: [a b c, d e f, g h i]
certainty: limited
related: [two, gone]
sources_checked: 2026-01-01
review_by: 2027-01-01
---
The main message. [^s1]

A second passage that is near. [^s2]

A third passage that is far. [^s1]
## How sure is this?
Fairly sure. [^s1] Not quite. [^s2] A third remark. [^s1]
## Worth asking your clinician
- What about me?
## In simpler words
It is simple. [^s1]
""")
TWO = card("two", "The other answer.", "More of the other.")


def texts(draft: Draft) -> list[str]:
    return [s.text for s in draft.statements]


def test_the_main_message_leads() -> None:
    """R-51."""
    draft = compose([Hit(FULL, passage_similarity=(0.2, 0.9, 0.1))], [], {})
    assert texts(draft)[0] == "The main message."


def test_what_was_asked_comes_before_the_main_message() -> None:
    """R-51: the first paragraph answers the visitor, not the card's title."""
    draft = compose([Hit(FULL, passage_similarity=(0.8, 0.2, 0.9), lead=2)], [], {})
    assert texts(draft)[:2] == ["A third passage that is far.", "The main message."]
    assert "A second passage that is near." not in texts(draft)


def test_a_passage_that_repeats_what_was_shown_is_left_out() -> None:
    twice = card("twice", "Regular heavy drinking worsens anxiety symptoms.", "Anxiety symptoms worsen: heavy drinking worsens anxiety.", "Therapy helps people recover.")
    assert choose(Hit(twice), WORDS) == [0, 2]
    assert choose(Hit(twice), MORE_WORDS, whole=True) == [0, 1, 2]


@pytest.mark.parametrize("lead", [0, 1, 2])
def test_more_shows_every_passage_once(lead: int) -> None:
    assert sorted(choose(Hit(FULL, passage_similarity=(0.8, 0.1, 0.1), lead=lead), MORE_WORDS, whole=True)) == [0, 1, 2]


def test_a_near_passage_joins_and_a_far_one_does_not() -> None:
    assert choose(Hit(FULL, passage_similarity=(0.8, 0.78, 0.2)), WORDS) == [0, 1]


def test_passages_come_in_reading_order() -> None:
    assert choose(Hit(FULL, passage_similarity=(0.8, 0.75, 0.8)), WORDS) == [0, 1, 2]


@pytest.mark.parametrize(("place", "shown"), [
    (None, [0]), (Place("GB", asked=True), [2, 0]), (Place("GB", asked=False), [0, 2]), (Place("CA", asked=True), [0]), (Place("IE", asked=True), [0]),
])
def test_the_passage_on_the_visitors_country_is_shown(place: Place | None, shown: list[int]) -> None:
    there = card("there", " ".join(["word"] * 50) + ".", "In Ireland, ask the HSE about something else.", "In the UK, a GP can refer you.")
    assert choose(Hit(there, passage_similarity=(0.6, 0.2, 0.42)), 60, place=place) == shown


@pytest.mark.parametrize(("abroad", "shown"), [
    ("", ["Never alone.", "Call 911 if nobody can wake them."]), ("In an emergency, call **999**.", ["Never alone."]),
])
def test_numbers_of_the_united_states_stay_there(abroad: str, shown: list[str]) -> None:
    """R-21: a visitor abroad never gets only US numbers."""
    safe = FULL.model_copy(update={"keep": (Sentence(text="Never alone.", sources=("s1",)), Sentence(text="Call 911 if nobody can wake them.", sources=("s1",)))})
    draft = compose([Hit(safe)], [], {}, abroad=abroad)
    kept = next(i for i, b in enumerate(draft.blocks) if b.lead == KEEP)
    assert [s.text for s in draft.blocks[kept].statements] == shown
    assert [b.lead for b in draft.blocks if b.lead.startswith("In an emergency")] == ([abroad] if abroad else [])


@pytest.mark.parametrize(("text", "country", "number"), [
    ("what is a safety plan", "GB", "999"), ("what is a safety plan, i live in cardiff", None, "999"), ("what is a safety plan", "DE", "112"), ("what is a safety plan", "US", None), ("what is a safety plan", None, None),
    ("what is a safety plan, asks the FDA", "GB", "999"), ("what is a safety plan in the uk", "US", None),
])
def test_a_visitor_abroad_is_told_whom_to_call_there(assistant: Assistant, text: str, country: str | None, number: str | None) -> None:
    """R-21."""
    reply = assistant.reply(Conversation.of(text, country=country))
    assert reply.cards[0] == "help-safety-plan"
    assert (f"In an emergency, call **{number}**" in reply.text) is (number is not None)


@pytest.mark.parametrize(("words", "asked"), [(40, True), (139, False)])
def test_the_question_for_the_clinician_gives_way_to_length(words: int, asked: bool) -> None:
    """R-52."""
    long = FULL.model_copy(update={"passages": (Passage(sentences=(Sentence(text=" ".join(["word"] * words) + ".", sources=("s1",)),)),)})
    assert any(b.lead.startswith(extractive.ASK) for b in compose([Hit(long)], [], {}).blocks) is asked


def test_the_budget_is_kept() -> None:
    long = card("long", *(" ".join(["word"] * 40) + f" {i}." for i in range(8)))
    chosen = choose(Hit(long, passage_similarity=(0.9,) * 8), WORDS)
    assert sum(len(long.passages[i].text.split()) for i in chosen) <= WORDS
    more = choose(Hit(long, passage_similarity=(0.9,) * 8), MORE_WORDS, whole=True)
    assert len(more) > len(chosen)
    assert sum(len(long.passages[i].text.split()) for i in more) <= MORE_WORDS


def test_every_statement_rests_on_its_passage() -> None:
    """R-34: what the gate compares with is the passage itself."""
    draft = compose([Hit(FULL, passage_similarity=(0.8, 0.8, 0.8))], [], {})
    for statement in draft.statements:
        assert statement.sources
        assert statement.text in statement.support
        assert statement.card == "one"


def test_certainty_and_a_next_step_follow() -> None:
    draft = compose([Hit(FULL, passage_similarity=(0.8, 0.1, 0.1))], [], {})
    assert [b.lead for b in draft.blocks if b.lead] == ["**How sure is this?**", "**Worth asking your clinician:** What about me?"]


def opened(*sentences: str) -> list[str]:
    return [s.text for s in bare([Sentence(text=s, sources=("s1",)) for s in sentences])]


@pytest.mark.parametrize(("before", "after"), [
    (["Yes, it can hurt the bladder."], ["It can hurt the bladder."]), (["Yes. It can hurt.", "Ask."], ["It can hurt.", "Ask."]), (["They may.", "Small studies say so."], ["Small studies say so."]),
    (["Often, yes. They go together."], ["They go together."]), (["No, it does not mend the brain."], ["It does not mend the brain."]), (["Not always.", "Some people wait."], ["Some people wait."]),
])
def test_a_yes_or_no_to_another_question_is_left_out(before: list[str], after: list[str]) -> None:
    assert opened(*before) == after


@pytest.mark.parametrize("sentences", [["Yes."], ["Yes, but only in clinics."], ["No, it is a medicine like others."], ["Yesterday it was new."], ["Nobody knows."], ["They may not work."], ["It can hurt the bladder."]])
def test_what_must_stay_for_the_sense_stays(sentences: list[str]) -> None:
    assert opened(*sentences) == sentences


def test_only_a_question_that_wants_it_gets_a_yes() -> None:
    yes = card("opens", "Yes, it can hurt the bladder.", "Yes, slowly.")
    assert texts(compose([Hit(yes, passage_similarity=(0.8, 0.8))], [], {}))[0].startswith("Yes")
    assert texts(compose([Hit(yes, passage_similarity=(0.8, 0.8))], [], {}, yes_or_no=False))[0] == "It can hurt the bladder."
    assert texts(compose([Hit(yes, passage_similarity=(0.8, 0.8), lead=1)], [], {}))[1] == "It can hurt the bladder."


@pytest.mark.parametrize("question", ["is it safe", "so can it hurt me", "I feel low. Does it help?", "hi, will insurance pay"])
def test_questions_for_a_yes_or_no(question: str) -> None:
    assert asks_yes_or_no(question)


@pytest.mark.parametrize("question", ["why is it banned", "bladder harm", "how long does it last", "what do doctors do"])
def test_questions_for_more_than_a_yes_or_no(question: str) -> None:
    assert not asks_yes_or_no(question)


def test_more_gives_the_whole_of_a_card_with_a_line_to_keep_in_mind() -> None:
    draft = compose([Hit(KEPT, passage_similarity=(0.8, 0.1, 0.1))], [], {}, "more")
    assert {s.text for p in KEPT.passages for s in p.sentences} <= set(texts(draft))


KEPT = FULL.model_copy(update={"keep": (Sentence(text="Never stop a medicine suddenly.", sources=("s1",)),)})


@pytest.mark.parametrize("mode", ["normal", "more", "simpler"])
@pytest.mark.parametrize("brief", [True, False])
def test_what_no_answer_may_lack_is_in_every_answer(mode: str, brief: bool) -> None:
    """R-34: a safety line does not hang on which paragraph answers."""
    draft = compose([Hit(KEPT, passage_similarity=(0.8, 0.1, 0.1), lead=1)], [], {}, mode, brief=brief)
    assert [b.lead for b in draft.blocks if "Never stop a medicine suddenly." in [s.text for s in b.statements]] == [KEEP]


def cited(text: str) -> tuple[Sentence, ...]:
    return (Sentence(text=text, sources=("s1",)),)


def test_how_sure_it_is_speaks_of_what_is_shown() -> None:
    filler = " and so on" * 16  # a lead as long as this needs no second passage
    both = card("both", f"Caffeine brings on panic attacks{filler}.", f"Phone lines answer at night{filler}.").model_copy(
        update={"sure": cited("Phone lines change their hours.") + cited("Panic attacks after caffeine were tested."), "ask": ("Which phone lines are near?", "Could caffeine cause my panic?")})
    for lead, sure, ask in ((0, "Panic attacks after caffeine were tested.", "Could caffeine cause my panic?"), (1, "Phone lines change their hours.", "Which phone lines are near?")):
        draft = compose([Hit(both, passage_similarity=(0.8, 0.2) if lead == 0 else (0.1, 0.8), lead=lead)], [], {})
        assert [[s.text for s in b.statements] for b in draft.blocks if b.lead == HOW_SURE] == [[sure]]
        assert draft.blocks[-1].lead.endswith(ask)


def test_two_parts_share_one_line_to_keep_in_mind() -> None:
    one, two = (card(n, f"About {n} {n}ing.").model_copy(update={"keep": cited(f"Never forget the {n} safely.")}) for n in ("apples", "pears"))
    draft = compose([Hit(one), Hit(two)], [], {})
    assert [[s.text for s in b.statements] for b in draft.blocks if b.lead == KEEP] == [["Never forget the apples safely.", "Never forget the pears safely."]]


def test_what_was_said_is_not_said_again() -> None:
    said = KEPT.model_copy(update={"passages": (Passage(sentences=KEPT.keep), *KEPT.passages)})
    assert texts(compose([Hit(said, passage_similarity=(0.8, 0.1, 0.1, 0.1))], [], {})).count("Never stop a medicine suddenly.") == 1


def test_simpler_uses_the_simpler_words() -> None:
    """R-53."""
    assert texts(compose([Hit(FULL, passage_similarity=(0.8, 0.1, 0.1))], [], {}, "simpler")) == ["It is simple."]
    assert texts(compose([Hit(TWO, passage_similarity=(0.8, 0.1))], [], {}, "simpler"))[0] == "The other answer."


def test_more_gives_the_whole_card() -> None:
    draft = compose([Hit(FULL, passage_similarity=(0.8, 0.1, 0.1))], [], {}, "more")
    assert {"The main message.", "A second passage that is near.", "A third passage that is far.", "A third remark."} <= set(texts(draft))


def test_a_lead_stands_first_and_brief_leaves_the_close_out() -> None:
    draft = compose([Hit(FULL, passage_similarity=(0.8, 0.1, 0.1))], [], {}, lead="First this.", brief=True)
    assert draft.blocks[0].lead == "First this."
    assert not any("How sure" in b.lead for b in draft.blocks)


def test_both_parts_get_their_card() -> None:
    draft = compose([Hit(FULL, passage_similarity=(0.8, 0.1, 0.1)), Hit(TWO, passage_similarity=(0.8, 0.1))], [], {})
    assert {"The main message.", "The other answer."} <= set(texts(draft))
    assert {s.card for s in draft.statements} == {"one", "two"}


def test_related_questions_skip_what_was_used_or_is_gone() -> None:
    titles = {"one": "One?", "two": "Two?", "three": "Three?"}
    assert related_questions([Hit(FULL), Hit(card("three", "Text."))], {"one"}, titles) == ("Two?", "Three?")


@pytest.mark.parametrize(("message", "parts"), [
    ("What are the side effects? How long do they last?", 2),
    ("What are the side effects and how long do they last?", 2),
    ("What is ketamine and is it legal here?", 2),
    ("What is ketamine?", 1),
    ("Is ketamine safe and effective?", 1),
    ("Does it help anxiety and depression?", 1),
    ("hello there", 1),
    ("", 1),
])
def test_two_part_questions_are_split(message: str, parts: int) -> None:
    assert len(question_parts(message)) == parts


def test_a_two_part_question_gets_both_parts(ask: Ask) -> None:
    reply = ask("What are the common side effects of ketamine? And what does ketamine treatment cost?")
    assert reply.action is Action.ANSWER
    assert {"risks-common-side-effects", "consultation-cost"} <= set(reply.cards)


def answers(ask: Ask) -> list[tuple[str, str]]:
    found = [(r["question"], ask(r["question"])) for r in STARRED if r["actions"] == ["answer"]]
    return [(q, r.text) for q, r in found if r.action is Action.ANSWER]


def sentences(card: Card) -> list[Sentence]:
    return list(card.sentences())


def test_every_factual_sentence_of_an_answer_is_cited(ask: Ask, cards: dict[str, Card], replies: Replies) -> None:
    """R-34: each statement ends with the number of its source; leads are fixed texts."""
    for row in STARRED[:20]:
        reply = ask(row["question"])
        if reply.action is not Action.ANSWER:
            continue
        assert reply.citations, row["question"]
        named = {replies.text("nearest", i, title=cards[reply.cards[0]].title) for i in range(len(replies.wordings("nearest")))}
        body = [p for p in reply.text.split("\n\n") if not p.startswith("**Worth asking") and p not in named]
        for paragraph in body:
            assert re.search(r"\[\d+\]$", paragraph.strip()), paragraph
        used = {int(n) for n in re.findall(r"\[(\d+)\]", reply.text)}
        assert used == {c.n for c in reply.citations}
        known = {s.text for i in reply.cards for part in (sentences(cards[i]), *(bare(p.sentences) for p in cards[i].passages)) for s in part}
        for piece in re.split(r"(?:\[\d+\])+", " ".join(body)):
            text = re.sub(r"\*\*How sure is this\?\*\*|\*\*Keep in mind:\*\*|\*\*You may also be asking: [^*]+\*\*", "", piece).strip()
            assert not text or text in known, text


def test_answers_are_short_and_read_easily(ask: Ask) -> None:
    """R-50 and R-52: a median grade of 8 or lower and about 150 words."""
    found = answers(ask)
    assert len(found) >= 30
    lengths = [len(re.sub(r"\[\d+\]", "", text).split()) for _, text in found]
    assert statistics.median(lengths) <= 150
    assert max(lengths) <= 220
    grades = [textstat.flesch_kincaid_grade(re.sub(r"\[\d+\]|\*\*", "", text)) for _, text in found]
    assert statistics.median(grades) <= 8.0


def test_the_writer_never_invents_a_sentence(cards: dict[str, Card]) -> None:
    """Whatever the similarities, each statement stands in its card."""
    for one in list(cards.values())[::7]:
        for near in ((), (0.9,) * len(one.passages), tuple(i / 10 for i in range(len(one.passages)))):
            for mode in ("normal", "more", "simpler"):
                draft = extractive.compose([Hit(one, passage_similarity=near)], [], {}, mode)
                assert {s.text for s in draft.statements} <= {s.text for part in (one.sentences(), *(bare(p.sentences) for p in one.passages)) for s in part}


def test_the_word_that_joins_two_questions_is_not_part_of_the_second() -> None:
    parts = question_parts("What are the side effects? And what does it cost?")
    assert parts == ["What are the side effects?", "what does it cost?"]


@pytest.mark.parametrize(("sure", "opens"), [(SURE - 0.01, True), (SURE, False)])
def test_an_answer_that_may_be_to_another_question_says_which_it_answers(small_built: Small, sure: float, opens: bool) -> None:
    """R-35: between a sure answer and "I don't know" the visitor can tell what was answered."""
    assistant = load_assistant(small_built.settings)
    assistant._confidence = lambda _verdict, _hits: sure
    reply = assistant.reply(Conversation.of("Can ketamine harm the bladder?"))
    assert reply.action is Action.ANSWER
    named = [assistant.replies.text("nearest", i, title="Can ketamine harm the bladder?") for i in range(len(assistant.replies.wordings("nearest")))]
    assert any(reply.text.startswith(n) for n in named) is opens
    assert "can inflame the bladder" in reply.text


def test_several_parts_are_not_hedged_as_one(small_built: Small) -> None:
    assistant = load_assistant(small_built.settings)
    assistant._confidence = lambda _verdict, _hits: CONFIDENT
    reply = assistant.reply(Conversation.of("Can ketamine harm the bladder? And does ketamine affect memory?"))
    assert set(reply.cards) == {"risks-bladder", "risks-memory"}
    assert "nearest" not in reply.text
    assert "comes close" not in reply.text


def test_a_second_card_follows_under_its_title() -> None:
    first, second = Hit(card("a", "One two three.")), Hit(card("b", "Four five six.", "Seven eight."))
    draft = compose([first], [first, second], {"a": "A", "b": "B"}, also=[second])
    assert [b.lead for b in draft.blocks[:2]] == ["", "**You may also be asking: A title for b?**"]
    assert [s.text for s in draft.blocks[1].statements] == ["Four five six."]
    assert "B" not in draft.related
