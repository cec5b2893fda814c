"""Which country a message or a passage speaks of."""

from __future__ import annotations

import pytest

from bot.retrieval.places import ABROAD, holds_in, named, region


@pytest.mark.parametrize(("text", "country"), [
    ("is it legal in the UK?", "GB"), ("my gp wont refer me", "GB"), ("what would the nhs do", "GB"), ("any groups in Northern Ireland", "GB"), ("i live in cork", "IE"),
    ("a therapist in Manitoba", "CA"), ("Australian rules please", "AU"), ("and in Germany?", "EU"), ("does the US allow it", "US"), ("can he help us", None),
    ("tell us about cost", None), ("does it help", None), ("is it the same in the UK and in Ireland", None), ("he ate a curry in the gpstore", None),
])
def test_the_one_country_that_is_named(text: str, country: str | None) -> None:
    assert named(text) == country


@pytest.mark.parametrize(("chosen", "place"), [("GB", "GB"), ("gb", "GB"), ("DE", "EU"), ("US", "US"), ("JP", ABROAD), (None, None)])
def test_a_chosen_country(chosen: str | None, place: str | None) -> None:
    assert region(chosen) == place


def test_a_passage_is_about_the_country_its_first_sentence_names() -> None:
    assert holds_in("In the UK, ask your GP. In the US, call 211.", "GB")
    assert not holds_in("Ask a doctor first. In the UK, that is a GP.", "GB")
    assert holds_in("Outside the US, rules differ.", "GB")
    assert holds_in("Outside the US, rules differ.", ABROAD)
    assert not holds_in("Outside the US, rules differ.", "US")
    assert not holds_in("In the UK, ask your GP.", ABROAD)
