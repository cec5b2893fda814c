"""A last message that leans on earlier ones is made to stand alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.retrieval.followup import asking, is_elliptical, resolve

TABLE = [
    # earlier turns, last message, words that the query must hold, words it must not
    (["does ketamine help social anxiety?"], "and for PTSD?", ["ketamine", "PTSD"], ["social"]),
    (["does ketamine help PTSD?"], "what about OCD?", ["ketamine", "OCD"], ["PTSD"]),
    (["can ketamine harm the bladder?"], "and the liver?", ["ketamine", "liver"], ["bladder"]),
    (["is ketamine legal in the UK?"], "and in Canada?", ["ketamine", "Canada"], ["UK"]),
    (["what is esketamine?"], "is it dangerous?", ["esketamine", "dangerous"], [" it "]),
    (["does ketamine help PTSD?"], "how long does that last?", ["ketamine", "last"], []),
    (["can pregnant women have ketamine?"], "what about teenagers?", ["ketamine", "teenagers"], ["pregnant"]),
    (["does ketamine help depression?"], "why?", ["ketamine", "depression", "why"], []),
    (["does ketamine help panic disorder?", "and OCD?"], "and GAD?", ["ketamine", "GAD"], ["OCD", "panic"]),
]


@pytest.mark.parametrize(("earlier", "last", "holds", "lacks"), TABLE)
def test_follow_ups(earlier: list[str], last: str, holds: list[str], lacks: list[str]) -> None:
    resolved = resolve(last, earlier)
    assert resolved.carried
    for word in holds:
        assert word.lower() in resolved.query.lower(), resolved.query
    for word in lacks:
        assert word.lower() not in resolved.query.lower(), resolved.query


@pytest.mark.parametrize("last", ["tell me more", "go on", "more details please", "can you elaborate?"])
def test_more_repeats_the_question(last: str) -> None:
    resolved = resolve(last, ["does ketamine help PTSD?"])
    assert resolved.mode == "more"
    assert "PTSD" in resolved.query


@pytest.mark.parametrize("last", ["can you say that in simpler words?", "I don't understand", "eli5"])
def test_simpler_repeats_the_question(last: str) -> None:
    resolved = resolve(last, ["does ketamine help PTSD?"])
    assert resolved.mode == "simpler"
    assert "PTSD" in resolved.query


@pytest.mark.parametrize("last", [
    "How do I find a qualified ketamine provider near me?", "What are the common side effects of ketamine infusions?", "Will my insurance pay for esketamine treatment?"])
def test_a_whole_question_is_left_alone(last: str) -> None:
    """An honest change of subject keeps its own words."""
    resolved = resolve(last, ["does ketamine help PTSD?"])
    assert resolved.query == last
    assert not resolved.carried


def test_it_with_nothing_before_is_ketamine() -> None:
    assert "ketamine" in resolve("is it addictive?", []).query
    assert resolve("is it normal to cry?", []).query == "is it normal to cry?"


def test_nothing_before_nothing_changed() -> None:
    assert resolve("and for PTSD?", []).query == "and for PTSD?"
    assert not resolve("tell me more", []).carried


@pytest.mark.parametrize(("message", "leans"), [
    ("and for PTSD?", True), ("is it safe?", True), ("why?", True), ("what about kids", True),
    ("What are the common side effects of ketamine?", False), ("Is ketamine approved by the FDA for anxiety?", False)])
def test_leaning(message: str, leans: bool) -> None:
    assert is_elliptical(message) is leans


words = st.sampled_from(["does", "ketamine", "help", "PTSD", "and", "it", "why", "the", "bladder", "more", "tell", "me", "?", "ok", "for", "OCD", "\u200b", "é"])
turns = st.lists(words, max_size=12).map(" ".join)


@given(turns, st.lists(turns, max_size=5))
def test_resolving_never_fails_and_stays_short(last: str, earlier: list[str]) -> None:
    resolved = resolve(last, earlier)
    assert len(resolved.query) <= 40 + 4 * (len(last) + sum(map(len, earlier)))
    assert abs(sum(weight for _, weight in resolved.readings) - 1.0) < 1e-9


STORY = "My girlfriend is a nurse and had it for PTSD two years ago. She says the talk before was the best bit. What do clinics do to prepare you? I would bring my own blanket, if they let me."


def test_a_story_is_also_looked_up_by_what_it_asks() -> None:
    asked = asking(STORY)
    assert asked == "What do clinics do to prepare you?"
    readings = resolve(STORY, ()).readings
    assert {text for text, _ in readings} == {STORY, asked}
    assert abs(sum(weight for _, weight in readings) - 1.0) < 1e-9


@pytest.mark.parametrize("text", ["What do clinics do to prepare you?", "It was a long winter and my father was ill. " * 4, "How long does it last? " * 8])
def test_a_short_question_and_a_story_without_one_have_no_part_that_asks(text: str) -> None:
    assert asking(text.strip()) == ""
