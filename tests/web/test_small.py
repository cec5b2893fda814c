from __future__ import annotations

import pytest

from bot.settings import Settings
from bot.web.brand import PAPER_DARK, PAPER_LIGHT, brand_css, contrast
from bot.web.limits import RateLimit
from bot.web.sheet import make_sheet
from bot.web.static_page import WHO
from bot.web.widget import markup, starters

from .stub import StubAssistant


def test_rate_limit_slides_and_forgets() -> None:
    now = 0.0
    limit = RateLimit(2, lambda: now)
    assert [limit.allow("a"), limit.allow("a"), limit.allow("a"), limit.allow("b")] == [True, True, False, True]
    now = 61.0
    assert limit.allow("c")
    assert len(limit._seen) == 1  # the others are forgotten after a minute
    assert limit.allow("a")


def test_rate_limit_keeps_no_address() -> None:
    limit = RateLimit(2)
    limit.allow("203.0.113.9")
    assert b"203.0.113.9" not in repr(limit._seen).encode()


@pytest.mark.parametrize("color", ["#1d5f5b", "#ffcc00", "#000000", "#ffffff", "#ff0000", "#7f7f7f", "#8a2be2"])
def test_any_brand_color_stays_readable(color: str) -> None:
    values = dict(part.split(":") for part in brand_css(color).split("{")[1].split("}")[0].split(";"))
    assert contrast(values["--brand-light"], PAPER_LIGHT) >= 4.5
    assert contrast(values["--brand-dark"], PAPER_DARK) >= 4.5
    assert contrast(values["--brand-light"], values["--on-brand-light"]) >= 4.5
    assert contrast(values["--brand-dark"], values["--on-brand-dark"]) >= 4.5


def test_sheet_holds_the_questions_of_what_was_discussed(assistant: StubAssistant) -> None:
    cards = dict(assistant.knowledge.cards)
    sheet = make_sheet(["risks-bladder", "risks-bladder", "no-such-card"], cards, Settings().day)
    assert sheet.groups[0] == (cards["risks-bladder"].title, cards["risks-bladder"].ask[:3])
    assert len(sheet.groups) == 2
    assert "not medical advice" in sheet.text()
    assert make_sheet([], cards, Settings().day).groups


def test_starters_come_from_cards_in_force(assistant: StubAssistant) -> None:
    stages = starters(Settings(), dict(assistant.knowledge.cards))
    assert [s["stage"] for s in stages] == ["Curious", "Deciding", "Booked", "Afterwards"]
    titles = {c.title for c in assistant.knowledge.cards.values()}
    assert all(q in titles for s in stages for q in s["questions"])


def test_the_page_promises_no_care() -> None:
    """R-03 and R-04."""
    text = (markup(Settings(), "v") + WHO).lower()
    assert "not a clinician" in text
    for word in ("hipaa", "our doctor", "dr.", "therapy session", "treatment plan", "diagnose you"):
        assert word not in text
