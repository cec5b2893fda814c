"""A card: one question, answered in plain words, every sentence carrying its sources.

The file format is Markdown with YAML front matter; docs/knowledge.md describes it for editors.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

import frontmatter
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Topic = Literal["anxiety", "mechanisms", "evidence", "risks", "regulation", "consultation", "help"]
Certainty = Literal[
    "established", "good-evidence", "limited", "contested", "guidance", "law", "service-info"
]

_MARKERS = re.compile(r"((?:\s*\[\^[^\]\s]+\])+)")
_MARKER = re.compile(r"\[\^([^\]\s]+)\]")
_HEADING = re.compile(r"^##\s+(.*?)\s*$")
SECTIONS = {
    "keep in mind": "keep",
    "how sure is this?": "sure",
    "worth asking your clinician": "ask",
    "in simpler words": "simpler",
}


class KnowledgeError(ValueError):
    """A fault in a knowledge file, saying where it is and what mends it."""

    def __init__(self, path: Path | str, field: str, problem: str, remedy: str, line: int = 1):
        super().__init__(f"{path}:{line}: {field}: {problem}. {remedy}.")
        self.path, self.field, self.problem, self.remedy = str(path), field, problem, remedy
        self.line = line


class Sentence(BaseModel):
    """One sentence (with any short lead-in such as "Yes.") and the ids of the sources behind it."""

    model_config = ConfigDict(frozen=True)

    text: str
    sources: tuple[str, ...]
    line: int = 1


class Passage(BaseModel):
    """One paragraph of a card: what the writer may pick as a whole."""

    model_config = ConfigDict(frozen=True)

    sentences: tuple[Sentence, ...]

    @cached_property
    def text(self) -> str:
        """The paragraph without its citation markers."""
        return " ".join(s.text for s in self.sentences)


class SignOff(BaseModel):
    """A named clinician's approval, valid only while `content_hash` equals the card's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    credential: str
    date: date
    content_hash: str


class Card(BaseModel):
    """The unit of vetted knowledge. `passages[0]` is the main message; `keep` is what no answer from this card may lack; `key` is file_key's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str = Field(min_length=8)
    topic: Topic
    questions: tuple[str, ...] = Field(min_length=3)
    certainty: Certainty
    facts: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    sources_checked: date
    review_by: date
    expires_on: date | None = None
    clinical_signoff: tuple[SignOff, ...] = ()
    passages: tuple[Passage, ...] = Field(min_length=1)
    keep: tuple[Sentence, ...] = ()
    sure: tuple[Sentence, ...] = ()
    ask: tuple[str, ...] = ()
    simpler: tuple[Sentence, ...] = ()
    content_hash: str
    path: str = ""
    key: str = ""

    @field_validator("clinical_signoff", mode="before")
    @classmethod
    def _signoffs(cls, value: object) -> object:
        return () if value is None else value

    def sentences(self) -> Iterator[Sentence]:
        """Every cited sentence of the card, in reading order."""
        for passage in self.passages:
            yield from passage.sentences
        yield from self.keep
        yield from self.sure
        yield from self.simpler

    @property
    def source_ids(self) -> tuple[str, ...]:
        """The ids of all cited sources, in order of first use."""
        return tuple(dict.fromkeys(sid for s in self.sentences() for sid in s.sources))

    @property
    def signed(self) -> bool:
        """Whether a clinician signed exactly this content."""
        return any(s.content_hash == self.content_hash for s in self.clinical_signoff)

    def opening_with(self, words: str) -> int | None:
        """The position of the one passage that begins with these words, or None."""
        found = [i for i, passage in enumerate(self.passages) if words and passage.text.startswith(words)]
        return found[0] if len(found) == 1 else None

    def expired(self, today: date) -> bool:
        """Whether the card must be withheld on `today`."""
        return self.expires_on is not None and today > self.expires_on


class Source(BaseModel):
    """One entry of knowledge/sources.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    authors_or_body: str
    year: int
    type: str
    url: str
    publisher: str = ""
    seen: str = ""


def split_sentences(text: str, line: int = 1) -> tuple[tuple[Sentence, ...], str]:
    """Split a paragraph at its citation markers.

    Returns:
        The cited sentences, and whatever text after the last marker carries no citation.
    """
    parts = _MARKERS.split(text)
    sentences = []
    for body, markers in zip(parts[0::2], parts[1::2], strict=False):
        ids = tuple(dict.fromkeys(_MARKER.findall(markers)))
        sentences.append(Sentence(text=" ".join(body.split()), sources=ids, line=line))
    return tuple(sentences), parts[-1].strip()


def _paragraphs(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    start, block = 0, list[str]()
    for number, line in [*lines, (0, "")]:
        if line.strip():
            start = start if block else number
            block.append(line.strip())
        elif block:
            yield start, " ".join(block)
            block = []


def content_hash(meta: dict[str, object], body: str) -> str:
    """SHA-256 over everything a clinician signs: all front matter but the sign-offs, and the body."""
    signed = {k: v for k, v in sorted(meta.items()) if k != "clinical_signoff"}
    text = json.dumps(signed, sort_keys=True, ensure_ascii=False, default=str) + "\n" + body.strip()
    return hashlib.sha256(text.encode()).hexdigest()


def parse_card(text: str, path: Path | str = "<card>") -> Card:
    """Parse one card.

    Raises:
        KnowledgeError: names the file, the line, the field and the remedy.
    """
    try:
        post = frontmatter.loads(text)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        raise KnowledgeError(
            path, "front matter", f"is not valid YAML ({getattr(err, 'problem', err)})",
            "Quote values that hold a colon", (mark.line + 2) if mark else 1,
        ) from err
    if not post.metadata:
        raise KnowledgeError(path, "front matter", "is missing", "Start the file with --- and its fields")
    meta = dict(post.metadata)
    all_lines = text.splitlines()
    fences = [i for i, line in enumerate(all_lines) if line.strip() == "---"]
    offset = fences[1] + 1 if len(fences) > 1 else 0
    blocks: dict[str, list[tuple[int, str]]] = {name: [] for name in ("main", *SECTIONS.values())}
    where = "main"
    for number, line in enumerate(all_lines[offset:], start=offset + 1):
        if heading := _HEADING.match(line):
            name = heading.group(1).lower()
            if name not in SECTIONS:
                raise KnowledgeError(
                    path, "body", f"unknown heading '{heading.group(1)}'",
                    "Use one of: " + ", ".join(s.capitalize() for s in SECTIONS), number,
                )
            where = SECTIONS[name]
        else:
            blocks[where].append((number, line))

    def cited(block: str) -> Iterator[tuple[Sentence, ...]]:
        for number, paragraph in _paragraphs(blocks[block]):
            sentences, rest = split_sentences(paragraph, number)
            if rest:
                raise KnowledgeError(
                    path, "body", f"no citation after “{rest[:60]}”",
                    "End every sentence with [^source-id]", number,
                )
            yield sentences

    ask = tuple(
        line.strip().removeprefix("-").strip() for _, line in blocks["ask"] if line.strip()
    )
    try:
        return Card(
            **meta,
            passages=tuple(Passage(sentences=s) for s in cited("main")),
            keep=tuple(x for s in cited("keep") for x in s),
            sure=tuple(x for s in cited("sure") for x in s),
            simpler=tuple(x for s in cited("simpler") for x in s),
            ask=ask,
            content_hash=content_hash(meta, post.content),
            path=str(path),
        )
    except ValidationError as err:
        first = err.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        at = next((i for i, x in enumerate(all_lines, 1) if x.startswith(f"{first['loc'][0]}:")), 1)
        raise KnowledgeError(
            path, field, first["msg"].lower(), "See docs/knowledge.md for the field's form", at
        ) from err


_PARSER = Path(__file__).read_bytes()


def file_key(raw: bytes) -> str:
    """SHA-256 over a card's file and this module: what must be the same for an earlier parse to hold."""
    return hashlib.sha256(_PARSER + raw).hexdigest()


def load_cards(folder: Path, parsed: Mapping[str, Card] | None = None) -> dict[str, Card]:
    """Read every card under `folder`, keyed by id, in a stable order.

    Args:
        parsed: cards read before, by their key; such a file is not parsed again.

    Raises:
        KnowledgeError: for the first malformed or duplicate card.
    """
    cards: dict[str, Card] = {}
    paths: Iterable[Path] = sorted(folder.rglob("*.md"))
    for path in paths:
        raw = path.read_bytes()
        key = file_key(raw)
        card = ((parsed or {}).get(key) or parse_card(raw.decode("utf-8"), path)).model_copy(update={"path": str(path), "key": key})
        if card.id in cards:
            raise KnowledgeError(
                path, "id", f"'{card.id}' is also the id of {cards[card.id].path}", "Rename one"
            )
        if path.stem != card.id or path.parent.name != card.topic:
            raise KnowledgeError(
                path, "id", f"the file should be {card.topic}/{card.id}.md", "Rename the file or the id"
            )
        cards[card.id] = card
    if not cards:
        raise KnowledgeError(folder, "cards", "no card found", "Check LANTERN_KNOWLEDGE_DIR")
    return cards


def load_sources(path: Path) -> dict[str, Source]:
    """Read knowledge/sources.yaml, keyed by id.

    Raises:
        KnowledgeError: for a malformed entry.
    """
    sources: dict[str, Source] = {}
    for i, row in enumerate(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) or []):
        try:
            source = Source(**row)
        except (ValidationError, TypeError) as err:
            name = row.get("id", f"entry {i + 1}") if isinstance(row, dict) else f"entry {i + 1}"
            raise KnowledgeError(path, str(name), str(err).replace("\n", " "), "Mend the entry") from err
        sources[source.id] = source
    return sources


UNCOVERED = "uncovered"  # stands for a card's id where there is none


@dataclass(frozen=True)
class Query:
    """What a visitor types for a card.

    Attributes:
        lead: the opening words of the passage that answers it; "" when none of the card's does, None when nobody has looked.
    """

    text: str
    lead: str | None = None


def load_queries(folder: Path) -> dict[str, list[Query]]:
    """What visitors type for each card: knowledge/queries/*.jsonl, lines of {"card": id, "query": text, "lead": words}; UNCOVERED for what no card answers.

    Raises:
        KnowledgeError: for a line of another form.
    """
    found: dict[str, list[Query]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                found.setdefault(str(row["card"]), []).append(Query(str(row["query"]), row.get("lead")))
            except (ValueError, KeyError, TypeError, AttributeError) as err:
                raise KnowledgeError(path, "query", repr(err), 'Each line is {"card": "…", "query": "…", "lead": "…"}', number) from err
    return found
