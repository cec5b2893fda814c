"""Read an article from a local file and split it into sentences that can be judged one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

from bot.review import DeskFault

Kind = Literal["claim", "heading", "question", "passing"]

_BLOCK_TAGS = frozenset([
    "p", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "br", "tr", "td", "th", "table",
    "section", "article", "header", "footer", "blockquote", "figcaption", "title", "button", "dt", "dd", "nav", "aside", "form", "main", "option", "summary",
])
_SILENT_TAGS = frozenset(["script", "style", "noscript", "template", "svg", "head"])
_LINK = "\u241f"  # stands where a link or a reference was, so that a sentence knows that it has one
_ABBREVIATIONS = re.compile(r"\b(?:U\.S|U\.K|Dr|Mr|Ms|Mrs|Prof|vs|e\.g|i\.e|etc|al|Fig|No|St|approx|Inc|Ltd|cf|a\.m|p\.m)\.$")
_END = re.compile(rf"(?<=[.!?])[”\"')\]{_LINK}]*\s+(?=[\[(“\"'A-Z0-9{_LINK}])")
_REFERENCE = re.compile(rf"{_LINK}|\[\^?\d+\]|https?://|\bdoi\b|\bPMID\b|\(\s*[A-Z][\w'-]+(?: (?:et al\.?|and|&) ?[\w'-]*)?,? (?:19|20)\d\d\s*\)", re.I)
# Lines that announce, address or greet; nothing in them can be true or false.
_PASSING = re.compile(
    r"^(?:in (?:this|the (?:next|following)) (?:article|post|guide|blog|section)|(?:so|now|next|first|here),? (?:let|we)|let(?:['’]s| us)|keep reading|read on|stay tuned|"
    r"welcome|thank|whether you|you(?:['’]re| are| may| might)? (?:probably|here|wonder|have heard|reading)|(?:before|after) (?:we|delving|diving|exploring)|"
    r"(?:posted|written|reviewed|updated|published|last updated) (?:by|on|in)|follow us|share|copyright|©|all rights|follow|menu|home|search|table of contents|"
    r"understanding (?:the|this|these|what|how)\b.{0,80}\b(?:crucial|important|essential|key)|it['’]s a (?:valid|good|fair) question|but (?:what|why|how))", re.I)


class ArticleError(DeskFault):
    """The article cannot be read; the message says why and what to do."""


@dataclass(frozen=True)
class Part:
    """One sentence or short line of an article.

    Attributes:
        section: the heading above it, or "".
        cited: whether it, or the end of its paragraph, carries a link or a reference.
        context: the two sentences before it in the section, for what “it” means.
    """

    text: str
    line: int
    kind: Kind
    section: str = ""
    cited: bool = False
    context: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[tuple[int, str]] = []
        self._words: list[str] = []
        self._silent = 0
        self._start = 1

    def flush(self) -> None:
        text = " ".join("".join(self._words).split())
        if text:
            self.lines.append((self._start, text))
        self._words = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT_TAGS:
            self._silent += 1
        if tag in _BLOCK_TAGS:
            self.flush()
        if re.fullmatch(r"h[1-6]", tag):
            self._words.append("# ")
        if tag == "a" and any(k == "href" and v and v.startswith("http") for k, v in attrs):
            self._words.append(_LINK)
        if tag == "sup":
            self._words.append(_LINK)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT_TAGS and self._silent:
            self._silent -= 1
        if tag in _BLOCK_TAGS:
            self.flush()

    def handle_data(self, data: str) -> None:
        if not self._silent and data:
            if not self._words:
                self._start = self.getpos()[0]
            self._words.append(data)


def _from_html(text: str) -> list[tuple[int, str]]:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.flush()
    return reader.lines


def _from_markdown(text: str) -> list[tuple[int, str]]:
    text = re.sub(r"\A---\n.*?\n---\n", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]+)\]\((?:https?:)[^)]*\)", rf"{_LINK}\1", text)
    text = re.sub(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", "", text)
    return _paragraphs(text)


def _paragraphs(text: str) -> list[tuple[int, str]]:
    """Join the lines of a wrapped paragraph; a list item, a heading or a short line stands alone."""
    out: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        bullet = re.match(r"(?:[-*•·+]|\d+[.)])\s+", line)
        joins = bool(out) and line and not bullet and not line.startswith("#") and out[-1][0] + out[-1][1].count("\n") + 1 == number and _wrapped(out[-1][1], line)
        if not line:
            continue
        if joins:
            out[-1] = (out[-1][0], f"{out[-1][1]}\n{line}")
        else:
            out.append((number, line[bullet.end():] if bullet else line))
    return [(n, " ".join(t.split())) for n, t in out]


def _wrapped(before: str, line: str) -> bool:
    """Whether `line` continues the paragraph `before`: it ended in mid-sentence, or was filled to the margin."""
    last = before.splitlines()[-1]
    return not last.startswith("#") and (line[:1].islower() or (len(last) > 55 and not re.search(r"[.!?:]$", last)) or 55 < len(last) < 130)


def _from_pdf(path: Path) -> list[tuple[int, str]]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        pages = [page.extract_text() or "" for page in reader.pages]
    except (PyPdfError, OSError, ValueError, KeyError) as err:
        raise ArticleError(f"{path}: the PDF cannot be read ({err}). Save it again, or paste its text into a .txt file") from err
    text = "\n".join(pages)
    if not text.strip():
        raise ArticleError(f"{path}: the PDF holds no text, perhaps only pictures of pages. Run text recognition on it first")
    return _paragraphs(re.sub(r"(\w)-\n(?=[a-z])", r"\1", text))


def sentences(text: str) -> list[str]:
    """Split a paragraph into sentences; abbreviations do not end one."""
    out: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if _ABBREVIATIONS.search(text[start : match.start()]):
            continue
        out.append(text[start : match.end()].strip())
        start = match.end()
    out.append(text[start:].strip())
    return [s for s in out if any(c.isalnum() for c in s)]


def _kind(sentence: str, alone: bool, marked: bool) -> Kind:
    bare = sentence.rstrip("”\"') ")
    if bare.endswith("?"):
        return "question"
    if marked or (alone and len(sentence.split()) <= 14 and not re.search(r"[.!;]$", bare)):
        return "heading"
    if _PASSING.search(sentence) or len(sentence.split()) < 4:
        return "passing"
    return "claim"


def split(blocks: list[tuple[int, str]]) -> Iterator[Part]:
    """Sentences of an article, from its numbered paragraphs."""
    section = ""
    before: list[str] = []
    for line, block in blocks:
        marked = block.startswith("#")
        block = block.lstrip("# ").strip()
        parts = sentences(block)
        paragraph_cited = bool(parts) and bool(_REFERENCE.search(parts[-1]))
        for sentence in parts:
            text = " ".join(sentence.replace(_LINK, "").split())
            kind = _kind(text, len(parts) == 1, marked)
            if kind == "heading":
                section, before = text, []
            elif kind == "question" and len(parts) == 1:
                section = text
            yield Part(text, line, kind, section, paragraph_cited or bool(_REFERENCE.search(sentence)), " ".join(before[-2:]))
            before.append(text)


def read(path: Path) -> list[Part]:
    """Read an article from a text, Markdown, HTML or PDF file.

    Raises:
        ArticleError: when it is missing, of another kind, or holds no text.
    """
    if not path.is_file():
        raise ArticleError(f"{path}: there is no such file. Save the page first: vetting reads local files only")
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        blocks = _from_pdf(path)
    else:
        raw = path.read_bytes()
        if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ArticleError(f"{path}: this is not a text file. Give text, Markdown, HTML or PDF")
        text = raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", errors="replace")
        html = suffix in (".html", ".htm", ".xhtml") or re.match(r"\s*(?:<!doctype html|<html)", text, re.I)
        blocks = _from_html(text) if html else _from_markdown(text) if suffix in (".md", ".markdown") else _paragraphs(text)
    parts = list(split(blocks))
    if not parts:
        raise ArticleError(f"{path}: no text was found in it")
    return parts
