"""The vocabulary every other module speaks: messages, actions, categories, citations, replies."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Action(StrEnum):
    """What a turn does. Every reply carries exactly one."""

    ANSWER = "answer"
    REFUSE = "refuse"
    CRISIS = "crisis"
    DEFER = "defer"
    SUPPORT = "support"
    ABSTAIN = "abstain"
    SMALLTALK = "smalltalk"


class Category(StrEnum):
    """Why it does so. Every category belongs to one action (see `ACTION_OF`)."""

    ANXIETY = "anxiety"
    MECHANISMS = "mechanisms"
    EVIDENCE = "evidence"
    RISKS = "risks"
    REGULATION = "regulation"
    CONSULTATION = "consultation"
    HELP = "help"
    DOSING = "dosing"
    SOURCING = "sourcing"
    MISUSE = "misuse"
    INJECTION = "injection"
    SELF_HARM = "self_harm"
    HARM_TO_OTHERS = "harm_to_others"
    MEDICAL_EMERGENCY = "medical_emergency"
    PERSONAL_MEDICAL = "personal_medical"
    DISTRESS = "distress"
    OFF_TOPIC = "off_topic"
    NOT_COVERED = "not_covered"
    SMALLTALK = "smalltalk"


ACTION_OF: dict[Category, Action] = {
    Category.ANXIETY: Action.ANSWER,
    Category.MECHANISMS: Action.ANSWER,
    Category.EVIDENCE: Action.ANSWER,
    Category.RISKS: Action.ANSWER,
    Category.REGULATION: Action.ANSWER,
    Category.CONSULTATION: Action.ANSWER,
    Category.HELP: Action.ANSWER,
    Category.DOSING: Action.REFUSE,
    Category.SOURCING: Action.REFUSE,
    Category.MISUSE: Action.REFUSE,
    Category.INJECTION: Action.REFUSE,
    Category.SELF_HARM: Action.CRISIS,
    Category.HARM_TO_OTHERS: Action.CRISIS,
    Category.MEDICAL_EMERGENCY: Action.CRISIS,
    Category.PERSONAL_MEDICAL: Action.DEFER,
    Category.DISTRESS: Action.SUPPORT,
    Category.OFF_TOPIC: Action.ABSTAIN,
    Category.NOT_COVERED: Action.ABSTAIN,
    Category.SMALLTALK: Action.SMALLTALK,
}

TOPICS: tuple[Category, ...] = tuple(c for c, a in ACTION_OF.items() if a is Action.ANSWER)


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["user", "assistant"]
    content: str


class Conversation(BaseModel):
    """A conversation whose last message is the visitor's.

    Args:
        messages: the turns, oldest first.
        country: ISO 3166-1 alpha-2 code the visitor chose, or None when unknown.
    """

    model_config = ConfigDict(frozen=True)

    messages: tuple[Message, ...] = Field(min_length=1)
    country: str | None = None

    def model_post_init(self, _context: object) -> None:
        if self.messages[-1].role != "user":
            raise ValueError("messages: the last message must have role 'user'")

    @property
    def last(self) -> str:
        """The visitor's newest message."""
        return self.messages[-1].content

    @property
    def earlier(self) -> tuple[str, ...]:
        """The visitor's earlier messages, oldest first."""
        return tuple(m.content for m in self.messages[:-1] if m.role == "user")

    @classmethod
    def of(cls, *turns: str, country: str | None = None) -> Conversation:
        """A conversation made of the visitor's turns only."""
        return cls(messages=tuple(Message(role="user", content=t) for t in turns), country=country)


class Citation(BaseModel):
    """One numbered source of a reply; `n` is the number shown in the text as [n]."""

    model_config = ConfigDict(frozen=True)

    n: int
    card: str
    title: str
    source: str
    url: str


class Statement(BaseModel):
    """One factual sentence of a draft and what it rests on.

    Attributes:
        support: the text of the passage that is cited, against which the gate checks the sentence.
        certainty: the evidence word of the card, which the sentence may not exceed.
        context: the title over the passage; it may say what "it" is, and supports no claim.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    card: str
    sources: tuple[str, ...]
    support: str
    certainty: str
    context: str = ""


class Block(BaseModel):
    """A paragraph of a draft: an optional fixed lead-in, then statements."""

    model_config = ConfigDict(frozen=True)

    lead: str = ""
    statements: tuple[Statement, ...] = ()


class Draft(BaseModel):
    """What a writer proposes; only the gate turns it into a reply."""

    model_config = ConfigDict(frozen=True)

    blocks: tuple[Block, ...]
    related: tuple[str, ...] = ()
    writer: Literal["extractive", "generative"] = "extractive"

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, in reading order."""
        return tuple(s for b in self.blocks for s in b.statements)


class Reply(BaseModel):
    """What the visitor gets.

    Attributes:
        text: Markdown.
        related: questions worth asking next, each answered by a card.
        writer: which writer wrote the text (fixed, extractive or generative).
        why: what decided the action, for maintainers; never shown to visitors.
    """

    model_config = ConfigDict(frozen=True)

    action: Action
    category: Category
    text: str
    citations: tuple[Citation, ...] = ()
    cards: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    writer: Literal["fixed", "extractive", "generative"] = "fixed"
    why: str = ""
