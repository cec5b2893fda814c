"""Replies as safe HTML. Everything that a card, a model or a visitor wrote is escaped here and nowhere else.

Markdown is read with raw HTML and images off; a link survives only when it is http(s) to an allow-listed host (R-82).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from bot.conversation import Action, Category, Citation, Reply
from bot.helplines import Helplines, Line
from bot.retrieval.card import Card, Source
from bot.writers.extractive import ASK, HOW_SURE, KEEP

KIND = {
    "animal": "Animal study", "case-report": "Case report", "guideline": "Professional guideline", "label": "Official medicine label",
    "law": "Law", "news": "News report", "observational": "Study of patients or the public", "rct": "Randomized trial",
    "regulator": "Medicines regulator", "service": "Help or service page", "systematic-review": "Review of many studies", "textbook": "Reference text",
}
EVIDENCE = {
    "established": "Well established", "good-evidence": "Good evidence", "limited": "Limited evidence", "contested": "Experts disagree",
    "guidance": "Professional guidance", "law": "Law and rules", "service-info": "Practical information",
}
# A line above a reply that is not a plain answer, so that its kind is clear without color.
APART = {KEEP: "keep", HOW_SURE: "sure", ASK: "ask"}
TAG = {
    Action.REFUSE: "Outside what I can do",
    Action.CRISIS: "You matter. People can help now",
    Action.DEFER: "General information, not advice about you",
    Action.SUPPORT: "One step at a time",
    Action.ABSTAIN: "Not in my checked sources",
}
_CHIP = re.compile(r"\[(\d{1,2})\]")
_LANGUAGE = re.compile(r"language ([a-z]{2})\b")
_TEXT_TO = re.compile(r"^(?P<word>[A-Z]+) to (?P<number>[\d ]+)$")


def allowed(url: str, hosts: frozenset[str]) -> bool:
    """Whether a reply may link to `url`: http(s), an allow-listed host, no user name or odd characters."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().removeprefix("www.")
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or re.search(r"[\s\\<>\"'\x00-\x1f]", url):
        return False
    return any(host == h or host.endswith("." + h) for h in (x.removeprefix("www.") for x in hosts))


def link(url: str, text: str, hosts: frozenset[str]) -> str:
    """A link that opens apart and tells the target nothing, or the bare text when the address is not allowed."""
    if not allowed(url, hosts):
        return _safe(text)
    return f'<a href="{_safe(url)}" target="_blank" rel="noopener noreferrer nofollow">{_safe(text)}<span class="sr"> (opens a new tab)</span></a>'


def dial(number: str, way: str = "call") -> str | None:
    """The tel: or sms: address of a number as helplines.yaml writes it, or None when it has no single number."""
    if way == "text":
        if match := _TEXT_TO.match(number):
            return f"sms:{match['number'].replace(' ', '')}?&body={match['word']}"
        return f"sms:{re.sub(r'[^0-9+]', '', number)}" if re.fullmatch(r"[\d +()-]+", number) else None
    first = re.split(r",| or | / |\(|;", number)[0]
    digits = re.sub(r"[^0-9+]", "", first)
    return f"tel:{digits}" if digits and re.fullmatch(r"[\d +().*-]+", first.strip()) else None


class _Renderer(RendererHTML):
    """Adds source chips, tappable numbers and guarded links to the plain renderer."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Escaped text, its [n] marks turned into buttons."""
        safe = _safe(tokens[idx].content)
        return _CHIP.sub(lambda m: _chip(int(m[1]), env), safe)

    def strong_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Bold; a known help number becomes tappable."""
        inner = tokens[idx + 1].content if idx + 1 < len(tokens) else ""
        before = tokens[idx - 1].content if idx else ""
        way = "text" if before.rstrip().endswith("text") and not before.rstrip().endswith("call or text") else "call"
        target = dial(inner, way) if any(d in env["numbers"] for d in re.findall(r"\d+", inner.replace(" ", "").replace("-", ""))) else None
        env["open"].append("</a>" if target else "</strong>")
        return f'<a class="number" href="{_safe(target)}">' if target else "<strong>"

    def strong_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Closes what strong_open opened."""
        return str(env["open"].pop())

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """A guarded link, or nothing when its host is not allowed."""
        url = str(tokens[idx].attrGet("href") or "")
        good = allowed(url, env["hosts"])
        env["links"].append(good)
        return f'<a href="{_safe(url)}" target="_blank" rel="noopener noreferrer nofollow">' if good else ""

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Closes what link_open opened."""
        return '<span class="sr"> (opens a new tab)</span></a>' if env["links"].pop() else ""


def _chip(n: int, env: Any) -> str:
    source = env["sources"].get(n)
    if source is None:
        return f"[{n}]"
    return (
        f'<button type="button" class="chip" data-source="{n}" aria-expanded="false">'
        f'<span class="sr">Source </span>{n}<span class="sr">: {_safe(source)}</span></button>'
    )


# Only paragraphs, lists, bold and italics, links and line breaks: no headings, code, quotes, tables, images or HTML.
_MARKDOWN = MarkdownIt("zero", {"html": False, "linkify": False, "breaks": True}, renderer_cls=_Renderer).enable(
    ["list", "emphasis", "link", "newline", "escape", "entity"]
)


@dataclass(frozen=True)
class View:
    """Turns replies into HTML.

    Args:
        cards, sources: what citations refer to.
        hosts: hosts that may be linked to.
        numbers: digits of the help lines, which become tappable.
    """

    cards: Mapping[str, Card]
    sources: Mapping[str, Source]
    hosts: frozenset[str]
    numbers: frozenset[str]

    def markdown(self, text: str, citations: Sequence[Citation] = ()) -> str:
        """Markdown as inert HTML."""
        env = {"sources": {c.n: c.source for c in citations}, "hosts": self.hosts, "numbers": self.numbers, "open": [], "links": []}
        return str(_MARKDOWN.render(_clean(text), env))

    def turn(self, reply: Reply) -> dict[str, Any]:
        """What the page needs to show a reply: fields that are already escaped (`html`, `sources`) and plain ones."""
        language = _LANGUAGE.search(reply.why)
        cards = [self.cards[i] for i in reply.cards if i in self.cards]
        return {
            "action": reply.action.value,
            "category": reply.category.value,
            "tag": TAG.get(reply.action, "") if not (reply.action is Action.ABSTAIN and reply.category is Category.OFF_TOPIC) else "Outside my subject",
            "lang": language[1] if language else "en",
            "text": reply.text,
            "html": self._answer(reply),
            "sources": [self._source(c) for c in reply.citations],
            "cards": list(reply.cards),
            "related": list(reply.related),
            "simpler": bool(cards and cards[0].simpler),
            "more": bool(cards) and reply.action is Action.ANSWER,
            "review": self._review(cards),
        }

    def _answer(self, reply: Reply) -> str:
        """The reply's paragraphs; what is to be kept in mind, how sure it is and the clinician question are set apart."""
        parts = []
        for paragraph in _clean(reply.text).split("\n\n"):
            kind = next((name for opening, name in APART.items() if paragraph.startswith(opening)), "")
            html = self.markdown(paragraph, reply.citations)
            parts.append(f'<div class="{kind}">{html}</div>' if kind else html)
        return "".join(parts)

    @staticmethod
    def _review(cards: Sequence[Card]) -> str:
        if not cards:
            return ""
        signed = all(c.signed for c in cards)
        return "Reviewed by a clinician" if signed else "Not yet reviewed by a clinician"

    def _source(self, citation: Citation) -> dict[str, str]:
        card = self.cards.get(citation.card)
        source = self._behind(citation, card)
        rows = []
        if source:
            rows += [("Kind of source", KIND.get(source.type, source.type)), ("Published by", source.authors_or_body), ("Year", str(source.year))]
        if card:
            rows += [
                ("Evidence", EVIDENCE[card.certainty]), ("Source checked", _day(card.sources_checked)), ("Next check due", _day(card.review_by)),
                ("Clinical review", self._review([card])), ("Used for", card.title),
            ]
        title = source.title if source else citation.source
        body = "".join(f"<div><dt>{_safe(k)}</dt><dd>{_safe(v)}</dd></div>" for k, v in rows)
        return {
            "n": str(citation.n),
            "title": title,
            "html": f'<p class="source-title">{_safe(title)}</p><dl>{body}</dl><p class="source-link">{link(citation.url, "Read the source", self.hosts)}</p>',
        }

    def _behind(self, citation: Citation, card: Card | None) -> Source | None:
        ids = card.source_ids if card else tuple(self.sources)
        for source in (self.sources[i] for i in ids if i in self.sources):
            if source.url == citation.url and source.title in citation.source:
                return source
        return None

    def card(self, card: Card) -> str:
        """A whole card for a page without JavaScript: passages, then the sources they rest on."""
        ids = [i for i in dict.fromkeys(s for p in card.passages for x in p.sentences for s in x.sources) if i in self.sources]
        number = {i: n for n, i in enumerate(ids, 1)}
        paragraphs = []
        for passage in card.passages:
            words = [
                _safe(s.text) + "".join(f"<sup>{number[i]}</sup>" for i in s.sources if i in number)
                for s in passage.sentences
            ]
            paragraphs.append(f"<p>{' '.join(words)}</p>")
        listed = "".join(
            f"<li>{_safe(self.sources[i].authors_or_body)}: {link(self.sources[i].url, self.sources[i].title, self.hosts)} ({self.sources[i].year})</li>" for i in ids
        )
        checked = f"{EVIDENCE[card.certainty]}. Sources checked {_day(card.sources_checked)}. {self._review([card])}."
        return f'{"".join(paragraphs)}<p class="small">{checked}</p><ol class="small">{listed}</ol>'


def help_lines(helplines: Helplines, country: str) -> dict[str, Any]:
    """A country's emergency number and lines as (label, address) pairs for the help bar; unknown gives the finder."""
    finder = {"name": helplines.finder.name, "ways": [{"label": "Find a free line", "href": helplines.finder.url}], "when": "by country"}
    known = helplines.countries.get(country)
    if known is None:
        return {"name": "Another country", "emergency": "112 or 911", "emergency_href": "", "lines": [finder]}
    lines = [_line(x) for x in known.lines if x.purpose in ("crisis", "general", "poison", "veterans", "youth")]
    usable = [x for x in lines if any(w["href"] for w in x["ways"])]
    return {"name": known.name, "emergency": known.emergency, "emergency_href": dial(known.emergency) or "", "lines": usable or [finder]}


def _line(line: Line) -> dict[str, Any]:
    ways = []
    if line.call:
        ways.append({"label": f"Call {line.call}", "href": dial(line.call) or ""})
    if line.text:
        ways.append({"label": f"Text {line.text}", "href": dial(line.text, "text") or ""})
    if line.whatsapp:
        ways.append({"label": f"WhatsApp {line.whatsapp}", "href": ""})
    if line.chat:
        ways.append({"label": "Chat online", "href": line.chat if line.chat.startswith("https://") else ""})
    return {"name": line.name, "ways": ways, "when": "24/7" if line.hours.startswith("24/7") else line.hours}


def _safe(text: str) -> str:
    """Escaped, for text and for quoted attributes."""
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Text without control characters, direction overrides or lone surrogates, which could disguise it."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", "", text)


def _day(day: Any) -> str:
    return f"{day.day} {day:%B %Y}"
