"""What a language model is sent: a versioned prompt from prompts/, and the question and passages as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import frontmatter

from bot.conversation import Statement
from bot.retrieval.card import Card, Passage

QUESTION_CHARS = 2_000
EARLIER_TURNS = 3

Messages = list[tuple[str, str]]
"""(role, text) pairs, as every LangChain chat model takes them."""


@dataclass(frozen=True)
class Prompt:
    """A prompt file.

    Attributes:
        version: its version and the start of its hash, so that an edited prompt is another one in the cache.
    """

    text: str
    version: str

    @classmethod
    def load(cls, path: Path) -> Prompt:
        """Read a prompt.

        Raises:
            FileNotFoundError: naming the file and the setting that says where it should be.
        """
        if not path.exists():
            raise FileNotFoundError(f"{path}: this prompt is missing. Check LANTERN_PROMPTS_DIR.")
        post = frontmatter.loads(path.read_text(encoding="utf-8"))
        text = post.content.strip()
        return cls(text, f"{post.metadata.get('version', 0)}-{hashlib.sha256(text.encode()).hexdigest()[:8]}")


@dataclass(frozen=True)
class Numbered:
    """A passage as the model sees it: an id that means nothing outside this turn."""

    id: str
    card: Card
    passage: Passage


@dataclass(frozen=True)
class Task:
    """One answer to word.

    Attributes:
        question: the visitor's message.
        earlier: the visitor's earlier messages that it leans on, oldest first; none when it stands alone.
        style: "normal", "more" or "simpler".
    """

    question: str
    passages: tuple[Numbered, ...]
    earlier: tuple[str, ...] = ()
    style: str = "normal"


def number(cards: Iterable[tuple[Card, Sequence[int]]]) -> tuple[Numbered, ...]:
    """Give ids to the chosen passages of each card, in reading order."""
    rows = [(card, card.passages[i]) for card, chosen in cards for i in chosen]
    return tuple(Numbered(f"p{n}", card, passage) for n, (card, passage) in enumerate(rows, 1))


def _data(value: object) -> str:
    # "<" and ">" are escaped too, so that no text can look like a role or a tag of a chat template.
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")


def answer_messages(prompt: Prompt, task: Task) -> Messages:
    """The messages for an answer. The visitor's words stand inside one JSON string."""
    data: dict[str, object] = {"style": task.style}
    if task.earlier:
        data["earlier_messages"] = [t[:400] for t in task.earlier[-EARLIER_TURNS:]]
    data["question"] = task.question[:QUESTION_CHARS]
    data["passages"] = [{"id": p.id, "about": p.card.title, "text": p.passage.text} for p in task.passages]
    return [("system", prompt.text), ("human", _data(data))]


def data_messages(prompt: Prompt, value: object) -> Messages:
    """The messages for a guard or a rewriting prompt."""
    return [("system", prompt.text), ("human", _data(value))]


def statement(sentence: str, ids: Sequence[str], passages: Sequence[Numbered]) -> Statement | None:
    """The model's sentence with the sources of what it cites, or None when an id is not one it was given.

    The sources are those of the vetted sentences that share most words with it, never the model's own.
    """
    cited = [p for p in passages if p.id in ids]
    if not cited or len(cited) != len(set(ids)):
        return None
    words = set(sentence.lower().split())
    rows = sorted(
        ((len(words & set(s.text.lower().split())) / (1 + len(s.text.split())) ** 0.5, s) for p in cited for s in p.passage.sentences), key=lambda r: -r[0])
    best = [s for score, s in rows if score >= 0.75 * rows[0][0]][:2]
    return Statement(
        text=" ".join(sentence.split()), card=cited[0].card.id, sources=tuple(dict.fromkeys(i for s in best for i in s.sources))[:2],
        support=" ".join(p.passage.text for p in cited), certainty=cited[0].card.certainty, context=" ".join(dict.fromkeys(p.card.title for p in cited)))
