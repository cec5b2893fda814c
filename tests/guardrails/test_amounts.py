"""Medication amounts are found however they are spelled; what only looks like one is not (R-30)."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.guardrails.amounts import _COMPILED, _INNOCENT, _INVISIBLE, find_amounts
from bot.retrieval.card import Card

AMOUNTS = [
    "50 mg", "50mg", "50 MG", "0.5 mg/kg", "0,5 mg/kg", "1,000 mg", "half a milligram", "fifty milligrams", "twenty-five milligrams", "two hundred mg", "100 mcg", "100 µg",
    "2 ml", "10cc",
    "a dose of 0.5 milligrams per kilogram", "about 50-100 mg", "between 50 and 100 mg", "50 to 100 milligrams", "５０ mg", "5\u200b0\u200bmg", "50 m\u200bg", "½ mg",
    "one and a half grams", "0.5 g of ketamine",
    "two tablets", "2 tabs", "three lozenges", "one or two sprays", "four drops under the tongue", "half a lozenge", "ten puffs", "two vials", "a couple of pills",
    "a few lozenges", "2 troches",
    "half of the usual dose", "double the dose", "twice the usual dose", "take half of it", "a quarter of the tablet", "one third of a tablet",
    "ketamine every three days", "an infusion twice a week", "ketamine twice a week", "ketamine three times per week", "infusions every other day", "a lozenge every 2 hours",
    "ketamine once a month",
    "take it again after two hours", "repeat in 30 minutes", "redose after 90 minutes", "twice daily", "three times weekly", "once-weekly ketamine", "six infusions over two weeks",
    "six treatments in three weeks", "q6h", "b.i.d.", "ketamine 2x per week", "Ketamine. Give it every 4 hours.",
    "increase the dose by 25%", "taper by half", "reduce it by ten", "start with 10 mg and then go up", "lower by 5 mg", "100 mg by mouth is the same as 20 mg by drip",
    "one lozenge equals 2 sprays", "10% ketamine solution", "100 mg/ml", "bioavailability is about 45%", "mg per kg", "0.5 per kilo of body weight",
    "50 miligramos", "cincuenta miligramos", "50 Milligramm", "50 мг", "５０毫克", "50 毫克", "50 ملغ", "50 मिलीग्राम", "dos gotas: 2 gotas", "zwanzig Tropfen", "50 milligrammes",
]
CLEAN = [
    "It costs $400 to $800 a visit.", "Clinics charge 500 dollars.", "about £300 per session", "€250", "Prices start at 400 USD for one visit.",
    "In 2019 the FDA approved it.", "since the 1970s", "Between 2013 and 2021 use went up.", "The rules end on 31 December 2026.",
    "People aged 18 to 65 took part.", "adults over 65", "She was 14 years old.", "most start before age 21", "under 18",
    "About 70% felt better.", "19.1 percent of adults", "more than 1 in 4 had symptoms", "4 out of 10 people", "one in three", "two thirds of people",
    "half of the people in the trial",
    "The trial had 158 veterans.", "a study of 18 people", "In a survey of 1,285 people", "27 trials with 2,665 people", "two small trials", "Three of the five studies agree.",
    "Call or text 988.", "Call 911.", "Text HOME to 741741.", "Call 116 123 at any hour.", "1-800-662-4357", "13 11 14",
    "Staff watch you for at least two hours.", "two hours of monitoring", "Symptoms last for at least six months.", "The effect fades within two weeks.",
    "It works within hours.", "A panic attack peaks within ten minutes.",
    "You need a driver until the next day.", "a 12-week course of talking therapy", "the first 24 hours", "open 24/7", "8 weeks later", "after four weeks", "a few minutes",
    "a few days",
    "Scores fell by 5 points.", "a GAD-7 score of 10 or more", "the seven questions of the GAD-7", "Phase 3", "Schedule III", "Class B", "page 12", "NCT02461927",
    "Question 3 of 10",
    "Ask your clinician how the plan is made.", "Why do doctors individualize the dose?", "Your prescriber decides the dose.", "a nasal spray", "Take one step at a time.",
    "one of the risks",
    "The clinic checks your blood pressure before and after.", "two people were in the room", "three kinds of therapy", "a third of people do not respond",
    "Risk fell by half.", "twice as likely",
    "Count back from ten.", "Name five things you can see.", "Breathe out for longer than you breathe in.", "You can call twice.",
]


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_is_found(text: str) -> None:
    assert find_amounts(text), text


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_is_found_in_a_sentence(text: str) -> None:
    assert find_amounts(f"In that study of ketamine people were given {text}, and they were watched by staff.")


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_like_an_amount_passes(text: str) -> None:
    """Money, years, ages, percentages, study sizes, scores, phone numbers and the length of a visit."""
    assert find_amounts(text) == []


ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fifteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)


digits = st.one_of(
    st.integers(1, 2000).map(str), st.integers(1000, 9000).map("{:,}".format), st.floats(0.1, 99, allow_nan=False).map("{:.1f}".format),
        st.integers(1, 900).map(lambda n: wide(str(n))),
    st.integers(1, 9).map(lambda n: f"0.{n}"), st.sampled_from("½¼¾⅓⅔"))
spelled = st.one_of(
    st.sampled_from([*ONES, *TENS, "hundred", "a dozen", "half a", "a few", "several"]), st.builds("{}-{}".format, st.sampled_from(TENS), st.sampled_from(ONES[:9])),
    st.builds("{} hundred".format, st.sampled_from(ONES[:9])), st.builds("{} hundred and {}".format, st.sampled_from(ONES[:9]), st.sampled_from(TENS)))
single = st.one_of(digits, spelled)
number = st.one_of(single, st.builds("{}{}{}".format, digits, st.sampled_from(["-", "–", " - ", " to ", " or ", "/"]), digits), st.builds("{} to {}".format, spelled, spelled))
unit = st.sampled_from(["mg", "mcg", "µg", "ml", "milligrams", "milligram", "micrograms", "grams", "g", "mgs", "millilitres", "milliliters", "cc", "mg/kg", "mg per kg", "m g",
    "мг", "毫克"])
form = st.sampled_from(["tablets", "pills", "lozenges", "troches", "sprays", "drops", "capsules", "vials", "puffs", "ampoules", "pumps", "suppositories"])
casing = st.sampled_from([str, str.upper, str.title, str.lower])
frame = st.sampled_from(["{}", "People took {} of ketamine.", "The usual amount is {}.", "({})", "Ketamine, {}, was given.", "You could try {} first.", "**{}**", "dose: {}",
    "it was\n{}\nthen"])
hidden = st.sampled_from(["", "", "", "\u200b", "\u00ad", "\u2060", "\ufeff"])


def hide(text: str, mark: str) -> str:
    return mark.join(text) if mark else text


@given(number, st.sampled_from([" ", "", "-", "  ", "\u00a0"]), unit, casing, frame, hidden)
@settings(max_examples=500, deadline=None)
def test_any_number_of_any_unit_is_found(n: str, gap: str, u: str, case: object, around: str, mark: str) -> None:
    between = gap if n[-1].isdigit() or (gap.strip(" \u00a0") == "" and gap) else " "
    text = around.format(hide(case(f"{n}{between}{u}"), mark))  # type: ignore[operator]
    assert find_amounts(text), text


@given(number, st.sampled_from(["", "small ", "nasal "]), form, casing, frame)
@settings(max_examples=300, deadline=None)
def test_any_count_of_any_form_is_found(n: str, kind: str, what: str, case: object, around: str) -> None:
    text = around.format(case(f"{n} {kind}{what}"))  # type: ignore[operator]
    assert find_amounts(text), text


drug = st.sampled_from(["ketamine", "esketamine", "Spravato", "the infusion", "the medicine", "the dose", "a lozenge", "the nasal spray"])
often = st.one_of(
    st.builds("every {} {}".format, st.sampled_from([*ONES[1:], "2", "3", "10", "other", "few"]), st.sampled_from(["hours", "days", "weeks", "months"])),
    st.builds("{} a {}".format, st.sampled_from(["once", "twice", "three times", "4 times", "2x"]), st.sampled_from(["day", "week", "month"])),
    st.builds("{}-{}".format, st.sampled_from(["once", "twice"]), st.sampled_from(["daily", "weekly", "monthly"])))


@given(drug, often, st.sampled_from(["{} {}.", "{} is taken {}.", "People had {} {} for a while.", "{} was given {}, then less."]))
@settings(max_examples=300, deadline=None)
def test_any_interval_of_a_medicine_is_found(what: str, when: str, around: str) -> None:
    text = around.format(what, when)
    assert find_amounts(text), text


# Digits and spaces beyond ASCII too: RE2, which looks first, counts fewer characters among them than the patterns do.
PIECES = sorted({piece for text in AMOUNTS for piece in re.findall(r"\w+|[^\w\s]|\s", text)} | {"٥٠", "५", "５", "\u2028", "\x1c", "\u1680", "é"})


@pytest.mark.parametrize("text", ["خذ ٥٠ ملغ", "एक बार में ५ मिलीग्राम", "ketamine every\u2028two hours", "ketamine every\x1ctwo days", "q٦h"])
def test_digits_and_spaces_of_other_scripts_hide_no_amount(text: str) -> None:
    assert find_amounts(text)


SOME = st.lists(st.sampled_from(PIECES), max_size=4)


@given(SOME, st.sampled_from(AMOUNTS), SOME, st.sampled_from(["", " "]), st.sampled_from(" \t\u2028\x1c\u1680"), st.sampled_from("0٠०"))
@settings(max_examples=1500, deadline=None)
def test_the_cheap_look_hides_nothing(before: list[str], amount: str, after: list[str], between: str, space: str, zero: str) -> None:
    """No pattern matches a text in which what it needs was not found."""
    disguised = amount.replace(" ", space).translate({ord("0") + i: chr(ord(zero) + i) for i in range(10)})
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", between.join([*before, disguised, *after])))
    found = {(kind, " ".join(match[0].split())) for kind, pattern in _COMPILED for match in pattern.finditer(text)}
    assert {(a.kind, a.text) for a in find_amounts(text)} == {(k, t) for k, t in found if k != "count" or not _INNOCENT.fullmatch(t)}


def test_a_lone_surrogate_hides_no_amount() -> None:
    assert find_amounts("take 5\ud800 mg of it")


@given(st.text(st.characters(exclude_categories=())))
@settings(deadline=None)
def test_any_text_can_be_checked(text: str) -> None:
    for amount in find_amounts(text):
        assert amount.kind
        assert amount.text


@pytest.mark.parametrize("piece", ["word ", "two ", "the ketamine ", "1,", "take ", "every ", "half of "])
def test_a_long_text_is_checked_to_its_end_in_linear_time(piece: str) -> None:
    """Thousands of characters without a full stop: work that grows with the square would take minutes."""
    assert find_amounts(piece * 8_000 + "50 mg")


def test_no_card_holds_an_amount(cards: dict[str, Card]) -> None:
    """R-30: titles, questions for the clinician and every passage."""
    for card in cards.values():
        for text in (card.title, *card.ask, *(s.text for s in card.sentences())):
            assert find_amounts(text) == [], (card.id, text)
