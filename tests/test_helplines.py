"""Help lines: the right ones for every country, and never those of one country alone for somebody elsewhere."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.doctor import HELPLINE_DAYS, examine
from bot.guardrails.gate import Gate
from bot.helplines import Helplines, Line, load_helplines
from bot.settings import Settings
from bot.writers.replies import Replies

from .conftest import Ask

ABROAD = ["GB", "IE", "CA", "AU", "NZ", "DE", "FR", "ES", "IT", "PT", "NL", "BE", "CH", "AT", "SE", "NO", "DK", "FI", "PL", "CZ", "IN", "JP", "KR", "BR", "MX", "AR", "ZA",
    "KE", "TR", "SG"]
UNKNOWN = ["XX", "ZZ", "", "usa!", "Atlantis"]
US_ONLY = re.compile(r"\b988\b|741\s?741|988lifeline")


def test_thirty_countries_and_not_the_us() -> None:
    assert len(set(ABROAD)) == 30
    assert "US" not in ABROAD


@pytest.mark.parametrize("country", ABROAD)
@pytest.mark.parametrize("purpose", ["crisis", "poison", "youth", "substance"])
def test_a_visitor_abroad_never_gets_only_us_numbers(helplines: Helplines, country: str, purpose: str) -> None:
    """R-21."""
    text = helplines.lines(country, purpose)  # type: ignore[arg-type]
    assert text.strip()
    if country != "CA":  # Canada's own line has the same number
        assert not US_ONLY.search(text), text
    known = helplines.countries.get(country)
    if known and any(x.purpose == "crisis" for x in known.lines) and purpose == "crisis":
        assert any(x.name in text for x in known.lines)
    elif not known or not known.lines:
        assert helplines.finder.url in text


@pytest.mark.parametrize("country", ABROAD)
def test_the_emergency_number_is_the_countrys_own(helplines: Helplines, country: str) -> None:
    known = helplines.countries.get(country)
    text = helplines.emergency(country)
    assert (f"**{known.emergency}**" == text) if known else ("where you are" in text)


@pytest.mark.parametrize("country", [*UNKNOWN, None])
def test_an_unknown_country_gets_the_international_finder(helplines: Helplines, country: str | None) -> None:
    """R-21: a finder first, and "the emergency number where you are"."""
    assert helplines.finder.url in helplines.lines(country).splitlines()[0]
    assert "where you are" in helplines.emergency(country)
    named = sum(place in helplines.lines(country) for place in ("US", "UK", "Canada", "Australia"))
    assert named != 1


@pytest.mark.parametrize("country", [*ABROAD, "US", None])
def test_a_crisis_reply_holds_the_countrys_lines(helplines: Helplines, ask_bare: Ask, country: str | None) -> None:
    """R-16 and R-21 in the reply itself."""
    reply = ask_bare("I want to kill myself", country=country)
    assert reply.action == "crisis"
    assert helplines.lines(country).splitlines()[0] in reply.text
    assert helplines.emergency(country) in reply.text
    if country not in ("US", "CA", None):
        assert not US_ONLY.search(reply.text)


def test_lower_case_codes_work(helplines: Helplines) -> None:
    assert helplines.lines("de") == helplines.lines("DE")


def test_the_us_crisis_line_is_988(helplines: Helplines) -> None:
    assert "988" in helplines.lines("US")
    assert helplines.emergency("US") == "**911**"


def test_every_row_has_a_source_and_a_date(helplines: Helplines) -> None:
    """R-22: no number without where it was read and when."""
    for code, country in helplines.countries.items():
        assert re.fullmatch(r"[A-Z]{2}", code)
        assert re.fullmatch(r"\d{2,5}", country.emergency), code
        for line in country.lines:
            assert line.source.startswith(("https://", "http://")), line.id
            assert line.checked.year >= 2026, line.id


def test_the_main_line_of_each_country_is_free_and_in_reach(helplines: Helplines) -> None:
    for code, country in helplines.countries.items():
        if country.lines:
            assert any(x.purpose in ("crisis", "general") for x in country.lines), code


def test_an_old_check_is_reported(real_settings: Settings, helplines: Helplines) -> None:
    """R-22: older than 90 days is a fault; counted from the table's own dates, so this test does not age."""
    oldest = min(x.checked for c in helplines.countries.values() for x in c.lines)

    def finding(days: int) -> bool:
        found = examine(real_settings.model_copy(update={"today": oldest + timedelta(days=days)}))
        return next(f.good for f in found if f.what.startswith("help lines"))

    assert finding(HELPLINE_DAYS)
    assert not finding(HELPLINE_DAYS + 1)


def test_a_line_nobody_can_reach_is_refused() -> None:
    with pytest.raises(ValidationError, match="give one of call, text, chat or whatsapp"):
        Line.model_validate({"id": "x", "name": "X", "for": "crisis", "hours": "24/7", "free": True, "source": "https://x.org", "checked": "2026-11-01"})


def test_a_mistyped_field_is_refused(tmp_path: Path, real_settings: Settings) -> None:
    text = (real_settings.knowledge_dir / "helplines.yaml").read_text(encoding="utf-8").replace("checked:", "cheked:", 1)
    (tmp_path / "helplines.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError, match=r"cheked|checked"):
        load_helplines(tmp_path / "helplines.yaml")


def test_the_gate_lets_every_help_line_through(helplines: Helplines, gate: Gate, replies: Replies) -> None:
    for country in [*helplines.countries, None]:
        for purpose in ("crisis", "poison", "youth", "substance", "veterans", "maternal"):
            text = f"{helplines.lines(country, purpose)} {helplines.emergency(country)} {helplines.short(country)}"  # type: ignore[arg-type]
            assert gate.faults(text) == [], (country, purpose)
