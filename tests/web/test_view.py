"""Nothing that a card, a model or a visitor writes may become markup, a remote request or a foreign link (R-82)."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conversation import Action, Category, Citation, Reply
from bot.helplines import load_helplines
from bot.retrieval.card import Source, parse_card
from bot.settings import Settings
from bot.web.sheet import make_sheet
from bot.web.view import View, allowed, dial, help_lines

HOSTS = frozenset({"who.int", "findahelpline.com"})
POISON = """---
id: risks-poison
title: Is <img src=x onerror=alert(1)> safe to show?
topic: risks
questions: [one question, two questions, three questions]
certainty: limited
sources_checked: 2026-11-21
review_by: 2027-05-21
---
<script>alert(1)</script> ![x](https://evil.example/a.png) [click](javascript:alert(1)) <b onclick=alert(1)>bold</b>. [^evil]
## Worth asking your clinician
- <svg onload=alert(1)>?
"""
SOURCE = Source(id="evil", title="<script>alert(2)</script>", authors_or_body="<i>Body</i>", year=2020, type="rct", url="javascript:alert(3)")
CARD = parse_card(POISON)
VIEW = View({CARD.id: CARD}, {"evil": SOURCE}, HOSTS, frozenset({"988", "741741"}))
PAYLOADS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![a](https://evil.example/x.png)", "![a][1]\n\n[1]: https://evil.example/x.png",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,<script>)", "[x](https://evil.example/)", "[x](//evil.example)",
    "[x](https://who.int@evil.example/)", "[x](https://who.int.evil.example/)", "<https://evil.example>", "https://evil.example", "<a href='https://evil.example'>x</a>",
    "[1]: https://evil.example\n\n[1]", "**<b onmouseover=alert(1)>**", "`<script>`", "```html\n<script>alert(1)</script>\n```", "> <iframe src=//evil.example>",
    "| a |\n|--|\n| <script> |", "&lt;script&gt;alert(1)", "\x00<scr\x00ipt>", "\u202egnp.exe", "# [x](vbscript:x)", "[x](\x01javascript:alert(1))", "[a](https://who.int/\"onclick=alert(1))",
]
TAGS = {"p", "ul", "ol", "li", "strong", "em", "a", "br", "span", "button", "div"}


def inert(html: str) -> None:
    """Only known tags, no handler, no image, and links only to allow-listed hosts, tel: or sms:."""
    for tag, rest in re.findall(r"<([a-zA-Z][\w-]*)((?:\"[^\"]*\"|'[^']*'|[^'\">])*)>", html):
        assert tag in TAGS | {"dl", "dt", "dd", "h3", "sup"}, tag
        assert not re.search(r"\son\w+\s*=", rest), rest
        assert "src=" not in rest
        for url in re.findall(r'href="([^"]*)"', rest):
            assert url.startswith(("tel:", "sms:")) or allowed(url.replace("&amp;", "&"), HOSTS), url
    assert "\x00" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_is_inert(payload: str) -> None:
    inert(VIEW.markdown(payload))
    inert(VIEW.markdown(f"Some text {payload} more text [1]", (Citation(n=1, card="c", title="t", source=payload, url=payload),)))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("<>[]()!*_`\"'&:/ \nabhttpsjavcript.=#|\\")), max_size=120))
def test_markdown_is_inert_for_any_text(text: str) -> None:
    inert(VIEW.markdown(text))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_whole_turn_is_inert(payload: str) -> None:
    citation = Citation(n=1, card=CARD.id, title=payload, source=f"{payload} {SOURCE.title}", url="javascript:alert(3)")
    turn = VIEW.turn(Reply(action=Action.ANSWER, category=Category.RISKS, text=f"**How sure is this?** {payload} [1]", citations=(citation,), cards=(CARD.id,)))
    inert(turn["html"])
    for source in turn["sources"]:
        inert(source["html"])
        assert "javascript:" not in source["html"]


def test_a_poisoned_card_is_inert_everywhere() -> None:
    inert(VIEW.card(CARD).replace("<ol class", "<ul class").replace("</ol>", "</ul>"))
    inert(make_sheet([CARD.id], {CARD.id: CARD}, date(2026, 11, 22)).html())


def test_source_chips_and_numbers_work() -> None:
    citation = Citation(n=1, card=CARD.id, title="t", source="WHO: Anxiety (2023)", url="https://www.who.int/x")
    html = VIEW.markdown("Fact. [1][2] call **988** or text **HOME to 741741**", (citation,))
    assert 'data-source="1"' in html
    assert "WHO: Anxiety (2023)" in html
    assert "[2]" in html  # a number without a source stays text
    assert 'href="tel:988"' in html
    assert 'href="sms:741741?&amp;body=HOME"' in html


def test_every_help_line_of_the_table_can_be_shown() -> None:
    helplines = load_helplines(Settings().knowledge_dir / "helplines.yaml")
    for code in [*helplines.countries, ""]:
        shown = help_lines(helplines, code)
        assert shown["emergency"], code
        for line in shown["lines"]:
            for way in line["ways"]:
                assert re.fullmatch(r"(?:tel:[0-9+]+|sms:[0-9+]+(?:\?&body=[A-Z]+)?|https?://\S+|)", way["href"]), (code, way)
    for code, country in helplines.countries.items():
        assert dial(country.emergency), (code, country.emergency)
        assert any(w["href"] for line in help_lines(helplines, code)["lines"] for w in line["ways"]) or not country.lines, code


def test_language_of_a_reply_is_marked() -> None:
    """R-66."""
    turn = VIEW.turn(Reply(action=Action.CRISIS, category=Category.SELF_HARM, text="Hola", why="rule x; language es"))
    assert turn["lang"] == "es"
