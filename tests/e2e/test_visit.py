"""A visitor's whole experience, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from .conftest import Visit

pytestmark = pytest.mark.e2e
Make = Callable[..., Visit]
QUESTION = "Can ketamine harm the bladder?"
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def axe(visit: Visit, state: str) -> None:
    """No serious or critical violation."""
    from axe_playwright_python.sync_playwright import Axe

    # The message box stays over the page's end; axe would count what happens to lie under it as too small to touch.
    visit.page.add_style_tag(content="#lantern-root .say, #lantern-root .help { position: static !important }")
    found = Axe().run(visit.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
    bad = [
        f"{state}: {v['id']} {v['help']}: {[n['html'][:160] for n in v['nodes'][:3]]}"
        for v in found.response["violations"] if v["impact"] in ("serious", "critical")
    ]
    assert not bad, "\n".join(bad)


def test_first_sight_says_who_it_is(visit: Make) -> None:
    """R-01 and R-05: the first words are what it is and what it is for."""
    page = visit().open().page
    text = page.inner_text(".lantern")
    assert re.search(r"AI, not a person and not a clinician", text)
    assert "Education only, for adults" in text
    assert page.locator(".privacy p").count() >= 3
    # The first words of the page, in reading order, after the skip link.
    assert page.locator(".lantern header").inner_text().index("AI") < 60
    assert page.evaluate("document.querySelector('.who').compareDocumentPosition(document.querySelector('.help')) & 4")


def test_privacy_is_on_the_page_on_a_phone_too(visit: Make) -> None:
    page = visit(viewport={"width": 390, "height": 844}).open().page
    page.locator(".privacy").scroll_into_view_if_needed()
    assert page.get_by_text("is not stored").is_visible()
    assert page.get_by_role("link", name="Privacy", exact=True).is_visible()


def test_whole_visit_asks_nobody_else(visit: Make) -> None:
    """R-70: every request of a whole visit, to our own server only; no cookie, nothing stored."""
    v = visit().open()
    page = v.page
    page.get_by_role("tab", name="Deciding").click()
    page.locator(".stage button").first.click()
    page.wait_for_selector(".bot")
    reply = v.ask(QUESTION)
    reply.locator(".chip").first.click()
    page.wait_for_selector(".source")
    page.click(".sheet-open")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.click(".theme")
    page.goto(v.site.url + "/static-help")
    page.goto(v.site.url + "/privacy")
    page.goto(v.site.url + "/policy")
    page.goto(v.site.url + "/docs")
    page.goto(v.site.url + "/demo")
    page.locator("#lantern-widget .launch").click()
    page.frame_locator("#lantern-widget iframe").locator("[data-ready=yes]").wait_for()
    assert v.foreign() == []
    assert v.faults == []
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_answer_with_source_card(visit: Make) -> None:
    v = visit().open()
    page = v.page
    reply = v.ask(QUESTION)
    assert reply.get_attribute("data-action") == "answer"
    chip = reply.locator(".chip").first
    chip.click()
    card = reply.locator(".source")
    for part in ("Kind of source", "Year", "Evidence", "Source checked", "Next check due", "Not yet reviewed by a clinician"):
        assert part in card.inner_text(), part
    link = card.locator("a")
    assert link.get_attribute("href").startswith("http")
    assert "noopener" in link.get_attribute("rel")
    assert chip.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert card.count() == 0
    assert page.evaluate("document.activeElement.className") == "chip"


def test_related_simpler_and_more(visit: Make) -> None:
    v = visit().open()
    reply = v.ask(QUESTION)
    before = v.page.locator(".you").count()
    reply.get_by_role("button", name="Simpler words").click()
    v.page.locator(".bot").nth(1).wait_for()
    v.page.locator(".related button").first.click()
    v.page.locator(".bot").nth(2).wait_for()
    assert v.page.locator(".you").count() == before + 2


def test_feedback_counts_a_choice(visit: Make) -> None:
    v = visit().open()
    reply = v.ask(QUESTION)
    sent: list[str] = []
    v.page.on("request", lambda r: sent.append(r.post_data or "") if "component_server" in r.url else None)
    reply.get_by_role("button", name="Not helpful").click()
    reply.get_by_role("button", name="Hard to understand").click()
    assert "Thank you" in reply.locator(".why").inner_text()
    assert sent
    assert "bladder?" not in sent[-1]
    reply.get_by_role("button", name="Helpful", exact=True).click()
    assert reply.get_by_role("button", name="Helpful", exact=True).get_attribute("aria-pressed") == "true"


def test_report_takes_two_actions(visit: Make) -> None:
    """R-07."""
    v = visit().open()
    reply = v.ask(QUESTION)
    reply.get_by_role("button", name="Report this answer").click()
    reply.get_by_role("button", name="It could hurt someone").click()
    v.page.wait_for_function("document.querySelector('.why').textContent.includes('Reference')")


def test_sheet_copies_saves_and_prints(visit: Make) -> None:
    v = visit(permissions=["clipboard-read", "clipboard-write"], accept_downloads=True).open()
    page = v.page
    v.ask(QUESTION)
    page.click(".sheet-open")
    page.wait_for_selector("dialog[open]")
    assert "bladder" in page.inner_text(".sheet-body").lower()
    page.get_by_role("button", name="Copy", exact=True).last.click()
    page.wait_for_function("document.querySelector('.sheet-status').textContent == 'Copied.'")
    assert "Questions for my clinician" in page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as text").click()
    assert saved.value.suggested_filename == "questions-for-my-clinician.txt"
    page.evaluate("void (window.print = () => { window.printed = document.body.className })")
    page.get_by_role("button", name="Print").click()
    assert "print-sheet" in page.evaluate("window.printed")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.classList.contains('sheet-open')")


def test_crisis_is_calm_and_tappable(visit: Make) -> None:
    v = visit().open("?country=GB")
    reply = v.ask("I want to kill myself")
    assert reply.get_attribute("data-action") == "crisis"
    assert reply.locator('a[href="tel:116123"]').count() >= 1
    assert reply.locator('a[href="tel:999"]').count() >= 1
    red = v.page.evaluate("getComputedStyle(document.querySelector('.bot')).backgroundColor.match(/\\d+/g).map(Number)")
    assert red[2] >= red[0]  # not a red alarm
    assert v.page.is_enabled("#lantern-say")


def test_refusal_offers_what_it_can(visit: Make) -> None:
    v = visit().open()
    reply = v.ask("how much ketamine should I take for anxiety")
    assert reply.get_attribute("data-action") == "refuse"
    assert "Outside what I can do" in reply.inner_text()
    assert reply.locator(".related button").count() >= 1


def test_country_change_changes_the_lines(visit: Make) -> None:
    v = visit().open("")
    page = v.page
    assert page.locator(".help-numbers a[href^='https://findahelpline.com']").count() == 1
    page.select_option(".help-country", "GB")
    assert page.locator('.help a[href="tel:116123"]').count() >= 1
    assert page.locator('.help a[href="tel:999"]').count() >= 1
    page.get_by_role("button", name="More help lines").click()
    assert page.locator(".help-more").is_visible()
    page.select_option(".help-country", "AU")
    assert page.locator('.help-numbers a[href="tel:131114"]').count() == 1


def test_help_is_in_the_same_place_in_every_state(visit: Make) -> None:
    """R-64."""
    v = visit().open()
    v.page.evaluate("scrollTo(0, 9999)")
    places = []
    for text in (QUESTION, "how much ketamine should I take", "I want to kill myself", "who won the football"):
        v.ask(text)
        v.page.wait_for_timeout(100)
        box = v.page.locator(".help").bounding_box()
        places.append((round(box["x"]), round(box["height"]), box["y"] >= 0 and box["y"] < 120))
    assert len(set(places)) == 1
    assert places[0][2]


def test_clear_empties_everything(visit: Make) -> None:
    """R-72: withdrawing takes one click, because the browser holds all there is."""
    v = visit().open()
    v.ask(QUESTION)
    v.page.click(".clear")
    assert v.page.locator(".turn").count() == 0
    assert v.page.locator(".welcome").is_visible()
    assert v.page.evaluate("document.activeElement.id") == "lantern-say"


def test_quick_exit_by_button_and_by_two_escapes(visit: Make) -> None:
    for leave in (lambda p: p.click(".leave"), lambda p: (p.keyboard.press("Escape"), p.keyboard.press("Escape"))):
        v = visit()
        v.page.route("http://neutral.test/**", lambda r: r.fulfill(body="<h1>Weather</h1>", content_type="text/html"))
        v.page.goto("about:blank")
        v.open()
        v.ask(QUESTION)
        leave(v.page)
        v.page.wait_for_url("http://neutral.test/")
        v.page.go_back()
        assert QUESTION not in v.page.content()


def test_dark_and_light(visit: Make) -> None:
    v = visit(color_scheme="dark").open()
    shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0,3).reduce((a, b) => a + +b, 0)"
    assert v.page.evaluate(shade) < 150
    v.page.click(".theme")
    assert v.page.evaluate(shade) > 600
    assert "Dark" in v.page.locator(".theme").inner_text()


def test_keyboard_only(visit: Make) -> None:
    """R-61 and R-62: everything is reached by keyboard, and where the focus is can be seen."""
    v = visit().open()
    page = v.page
    page.keyboard.press("Tab")
    assert "Skip" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.keyboard.type("Can ketamine harm the bladder")
    page.keyboard.press("Enter")
    page.wait_for_selector(".bot")
    assert page.evaluate("document.activeElement.id") == "lantern-say"
    seen = []
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        seen.append(page.evaluate("(e => e.className + '|' + (e.offsetParent !== null || e === document.body) + '|' + getComputedStyle(e).outlineStyle)(document.activeElement)"))
        if "help-country" in seen[-1]:
            break
    classes = " ".join(seen)
    for part in ("report", "chip", "clear", "sheet-open", "theme", "leave", "help-country"):
        assert part in classes, part
    assert all("|true|" in s for s in seen)
    assert all(s.endswith("|solid") for s in seen), seen


def test_focus_is_not_hidden_under_the_bars(visit: Make) -> None:
    """R-62."""
    v = visit(viewport={"width": 390, "height": 700}).open()
    v.ask(QUESTION)
    page = v.page
    page.evaluate("document.querySelector('.tool').focus()")
    for _ in range(25):
        page.keyboard.press("Tab")
        covered = page.evaluate("""(() => { const e = document.activeElement, b = e.getBoundingClientRect();
            if (e === document.body || e.closest('.help, .say')) return false;
            const at = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);
            return !(at && (e.contains(at) || at.contains(e))) && document.querySelector('.help').contains(at); })()""")
        assert not covered, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


@pytest.mark.parametrize("size", [{"width": 320, "height": 640}, {"width": 390, "height": 844}, {"width": 640, "height": 320}, {"width": 1280, "height": 860}])
def test_reflow_without_sideways_scrolling(visit: Make, size: dict[str, int]) -> None:
    """R-63: 320 pixels wide, and targets of at least 24 pixels."""
    v = visit(viewport=size).open()
    assert v.page.evaluate(WIDE) <= 0
    reply = v.ask(QUESTION)
    reply.locator(".chip").first.click()
    assert v.page.evaluate(WIDE) <= 0
    small = v.page.evaluate("""[...document.querySelectorAll('.lantern button, .lantern select, .help a')].filter(e => e.offsetParent)
        .map(e => [e.className, e.getBoundingClientRect()])
        .filter(([, b]) => b.width < 24 || b.height < 24).map(([c]) => c)""")
    assert small == []


@pytest.mark.parametrize("width", [320, 1280])
def test_text_at_twice_the_size(visit: Make, width: int) -> None:
    """R-63."""
    v = visit(viewport={"width": width, "height": 800}).open()
    for _ in range(3):
        v.page.click(".size")
    assert v.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
    v.ask(QUESTION)
    assert v.page.evaluate(WIDE) <= 0


def test_new_text_is_announced_politely(visit: Make) -> None:
    """R-60."""
    v = visit().open()
    log = v.page.locator("[role=log]")
    assert log.get_attribute("aria-live") == "polite"
    assert v.page.locator("[aria-live=assertive], [role=alert]").count() == 0
    v.ask(QUESTION)
    first = v.page.locator(".bot").first.element_handle()
    v.ask("What does ketamine treatment cost?")
    assert first.evaluate("e => e.isConnected")  # earlier turns stay the same nodes, so they are not read again


def test_sentences_fade_in_but_are_there_at_once(visit: Make) -> None:
    """R-65: nothing moves for visitors who asked for less motion."""
    v = visit(reduced_motion="no-preference").open()
    reply = v.ask(QUESTION)
    assert reply.locator(".s").count() >= 3
    assert len(reply.locator(".text").inner_text()) > 200
    assert reply.evaluate("e => e.classList.contains('fresh')")
    still = visit().open().ask(QUESTION)
    assert not still.evaluate("e => e.classList.contains('fresh')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(visit: Make, scheme: str, width: int) -> None:
    """R-63 and R-65: contrast, names of buttons, color, in both color schemes and on each page."""
    v = visit(color_scheme=scheme, viewport={"width": width, "height": 860}).open()
    axe(v, "welcome")
    reply = v.ask(QUESTION)
    reply.locator(".chip").first.click()
    reply.get_by_role("button", name="Report this answer").click()
    axe(v, "answer with source and report")
    v.ask("how much ketamine should I take for anxiety")
    v.ask("I want to kill myself")
    v.ask("should I stop my antidepressant")
    v.ask("who won the football")
    axe(v, "refusal, crisis, deferral, off topic")
    v.page.click(".help-numbers button")
    v.page.click(".sheet-open")
    v.page.wait_for_selector("dialog[open]")
    axe(v, "sheet")
    for path in ("/static-help", "/privacy", "/policy", "/docs", "/demo"):
        v.page.goto(v.site.url + path)
        axe(v, path)
    v.page.locator("#lantern-widget .launch").click()
    v.page.frame_locator("#lantern-widget iframe").locator("[data-ready=yes]").wait_for()
    axe(v, "embedded")


def test_embedded_on_a_site(visit: Make) -> None:
    """R-61: the focus goes into the message box on opening and back to the launcher on closing; Escape closes."""
    v = visit()
    page = v.page
    page.goto(v.site.url + "/demo")
    launch = page.locator("#lantern-widget .launch")
    assert page.locator("#lantern-widget iframe").count() == 0  # nothing is loaded before it is wanted
    launch.focus()
    page.keyboard.press("Enter")
    frame = page.frame_locator("#lantern-widget iframe")
    frame.locator("[data-ready=yes]").wait_for()
    page.wait_for_function("document.activeElement.id === 'lantern-widget'")
    frame.locator("#lantern-say:focus").wait_for()
    assert frame.locator("body").evaluate("scrollY") == 0  # who speaks is in sight, not scrolled away by the focus
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    frame.locator(".bot").wait_for()
    before = page.locator("#lantern-widget .panel").bounding_box()["width"]
    page.locator("#lantern-widget .resize").click()
    assert page.locator("#lantern-widget .panel").bounding_box()["width"] > before
    page.locator("#lantern-widget .shut").click()
    assert launch.is_visible()
    assert page.evaluate("document.querySelector('#lantern-widget').shadowRoot.activeElement.className") == "launch"
    launch.click()
    assert frame.locator(".bot").count() == 1  # closing keeps the chat while the page is open
    frame.locator("#lantern-say").press("Escape")
    launch.wait_for(state="visible", timeout=5_000)  # the frame tells the page by message
    assert v.faults == []


def test_quick_exit_from_a_frame_takes_the_whole_page(visit: Make) -> None:
    v = visit()
    v.page.route("http://neutral.test/**", lambda r: r.fulfill(body="<h1>Weather</h1>", content_type="text/html"))
    v.page.goto(v.site.url + "/demo")
    v.page.locator("#lantern-widget .launch").click()
    v.page.frame_locator("#lantern-widget iframe").locator(".leave").click()
    v.page.wait_for_url("http://neutral.test/")


def test_launcher_covers_no_focus(visit: Make) -> None:
    """Tabbing through the host page scrolls links clear of the launcher."""
    v = visit(viewport={"width": 390, "height": 500})
    v.page.goto(v.site.url + "/demo")
    for link in v.page.locator("nav a").all():
        link.focus()
        box, launch = link.bounding_box(), v.page.locator("#lantern-widget .launch").bounding_box()
        assert box["y"] + box["height"] <= launch["y"] or box["x"] + box["width"] <= launch["x"]


def test_markup_in_a_message_is_only_text(visit: Make) -> None:
    v = visit().open()
    v.page.evaluate("void (window.alert = () => { window.hacked = true })")
    for text in ("<img src=x onerror=alert(1)> is ketamine safe?", "![x](https://evil.example/x.png) [a](javascript:alert(1))", "\u202e\u0000<script>alert(1)</script>"):
        v.ask(text)
    assert v.page.evaluate("window.hacked === undefined")
    assert v.page.locator(".log img, .log script, .log a[href^='javascript']").count() == 0
    assert v.foreign() == []


def test_lost_server_leaves_help_on_the_page(visit: Make) -> None:
    v = visit().open()
    v.page.context.set_offline(True)
    reply = v.ask(QUESTION)
    assert "cannot answer just now" in reply.inner_text()
    assert "911" in reply.inner_text()
    v.page.context.set_offline(False)
    reply.get_by_role("button", name="Try again").click()
    v.page.wait_for_selector(".bot[data-action=answer]")


def test_switched_off_while_the_page_is_open(visit: Make) -> None:
    v = visit().open()
    v.site.off.touch()
    try:
        started = time.perf_counter()
        reply = v.ask(QUESTION)
        assert time.perf_counter() - started < 2
        assert "switched off" in reply.inner_text()
        v.page.goto(v.site.url)
        assert "switched off" in v.page.inner_text("main")
        assert v.page.locator('a[href="tel:116123"]').count() >= 1
    finally:
        v.site.off.unlink()


def test_without_javascript(visit: Make) -> None:
    v = visit(java_script_enabled=False)
    v.page.goto(v.site.url + "/")
    assert "not a person and not a clinician" in v.page.inner_text("body")
    v.page.get_by_role("link", name="Help lines and the most asked questions").click()
    v.page.get_by_text("Is ketamine treatment safe?").click()
    assert "Sources checked" in v.page.inner_text("main")
