"""`lantern batch`: conversations in, replies out, one JSON object a line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from pydantic import ValidationError

from bot.conversation import Conversation, Reply


class Answers(Protocol):
    """Anything that answers a conversation."""

    def reply(self, conversation: Conversation) -> Reply: ...


def parse(line: str) -> tuple[Any, Conversation]:
    """The id and conversation of one input line.

    Raises:
        ValueError: saying what is wrong and where.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as err:
        raise ValueError(f"not JSON: {err}") from err
    if not isinstance(row, dict):
        raise ValueError(f"expected an object, got {type(row).__name__}")
    if "messages" not in row:
        raise ValueError("field 'messages' is missing")
    try:
        conversation = Conversation(messages=row["messages"], country=row.get("country"))
    except ValidationError as err:
        first = err.errors()[0]
        raise ValueError(f"field '{'.'.join(str(p) for p in first['loc']) or 'messages'}': {first['msg']}") from err
    return row.get("id"), conversation


def contract(reply: Reply) -> dict[str, Any]:
    """A reply's public fields, as docs/architecture.md promises them."""
    return {
        "action": reply.action.value,
        "category": reply.category.value,
        "text": reply.text,
        "citations": [c.model_dump() for c in reply.citations],
        "cards": list(reply.cards),
    }


def _line(row: dict[str, Any]) -> str:
    """One line of JSON that any file can hold: half a surrogate pair in an id becomes a question mark."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode()


def run(lines: Iterable[str], assistant: Answers) -> Iterator[tuple[str, bool]]:
    """Yield (output line, whether it was answered) for each input line, in order; blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            name, conversation = parse(line)
        except ValueError as err:
            yield _line({"line": number, "id": None, "error": f"line {number}: {err}"}), False
            continue
        started = time.perf_counter()
        reply = assistant.reply(conversation)
        took = round((time.perf_counter() - started) * 1000, 1)
        yield _line({"id": name, **contract(reply), "latency_ms": took}), True
