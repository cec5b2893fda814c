"""Read a model's JSON lines while they are still arriving."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 2_000
MOST_PROSE = 160
_FENCE = re.compile(r"```\w*|[\s,\[\]]+")


class Malformed(ValueError):
    """The output is not what was asked for."""


@dataclass(frozen=True)
class Line:
    """One sentence and the ids it cites, as the model wrote them."""

    sentence: str
    passages: tuple[str, ...]


class Lines:
    """Feed it text as it comes; it gives each object as soon as its last brace is there.

    Code fences, commas and an enclosing list are forgiven. Prose around the objects, an object that is not JSON or
    has other fields, and one that never ends are not.
    """

    def __init__(self) -> None:
        self._buffer, self._outside = "", ""
        self._depth, self._quoted, self._escaped = 0, False, False

    def feed(self, text: str) -> Iterator[Line]:
        """The lines that `text` completes.

        Raises:
            Malformed: when the output cannot be read.
        """
        for char in text:
            if not self._depth and char != "{":
                self._outside += char
                if len(_FENCE.sub("", self._outside)) > MOST_PROSE:
                    raise Malformed("prose instead of JSON lines")
                continue
            self._buffer += char
            if len(self._buffer) > LONGEST:
                raise Malformed("an object without an end")
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif char == "\\":
                    self._escaped = True
                elif char == '"':
                    self._quoted = False
            elif char == '"':
                self._quoted = True
            elif char == "{":
                self._depth += 1
            elif char == "}":
                self._depth -= 1
                if not self._depth:
                    line, self._buffer = self._buffer, ""
                    yield _line(line)

    def close(self) -> None:
        """Say that no more will come.

        Raises:
            Malformed: when the output breaks off, or holds prose.
        """
        if self._depth:
            raise Malformed("cut off")
        if _FENCE.sub("", self._outside):
            raise Malformed("prose instead of JSON lines")


def _line(text: str) -> Line:
    try:
        row = json.loads(text)
    except ValueError as err:
        raise Malformed("not JSON") from err
    sentence, passages = row.get("sentence"), row.get("passages")
    if not isinstance(sentence, str) or not isinstance(passages, list) or not all(isinstance(p, str | int) for p in passages) or set(row) != {"sentence", "passages"}:
        raise Malformed("other fields than asked for")
    return Line(sentence, tuple(p if str(p).startswith("p") else f"p{p}" for p in map(str, passages)))


def one_object(text: str) -> dict[str, object]:
    """The single JSON object of a short answer.

    Raises:
        Malformed: when there is none.
    """
    start, end = text.find("{"), text.rfind("}")
    try:
        row = json.loads(text[start : end + 1])
    except ValueError as err:
        raise Malformed("not JSON") from err
    if not isinstance(row, dict):
        raise Malformed("not an object")
    return row
