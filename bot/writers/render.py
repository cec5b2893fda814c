"""A released draft as Markdown with numbered citations."""

from __future__ import annotations

from collections.abc import Mapping

from bot.conversation import Citation, Draft
from bot.retrieval.card import Card, Source


def render(draft: Draft, cards: Mapping[str, Card], sources: Mapping[str, Source]) -> tuple[str, tuple[Citation, ...]]:
    """The text, each statement followed by its numbers, and the citations those numbers mean."""
    numbers: dict[str, int] = {}  # one source keeps one number, even when two cards cite it
    citations: list[Citation] = []
    paragraphs: list[str] = []
    for block in draft.blocks:
        words = [block.lead] if block.lead else []
        for statement in block.statements:
            marks = []
            for source_id in statement.sources:
                source = sources.get(source_id)
                if source is None:
                    continue
                if source_id not in numbers:
                    numbers[source_id] = len(numbers) + 1
                    citations.append(
                        Citation(
                            n=numbers[source_id], card=statement.card, title=cards[statement.card].title,
                            source=f"{source.authors_or_body}: {source.title} ({source.year})", url=source.url,
                        )
                    )
                marks.append(f"[{numbers[source_id]}]")
            words.append(statement.text + (" " + "".join(marks) if marks else ""))
        if words:
            paragraphs.append(" ".join(words))
    return "\n\n".join(paragraphs), tuple(citations)
