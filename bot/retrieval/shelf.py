"""The cards as parsed when the index was built: the YAML of 337 files took half a second of every start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bot.retrieval.card import Card

FILE = "cards.json"
_SHELF = TypeAdapter(list[Card])


def write(folder: Path, cards: Iterable[Card]) -> None:
    """Keep the cards."""
    (folder / FILE).write_bytes(_SHELF.dump_json(list(cards)))


def load(folder: Path) -> dict[str, Card]:
    """The kept cards by their key; none when another version of Lantern kept them.

    Raises:
        OSError: when the file is missing.
    """
    try:
        return {card.key: card for card in _SHELF.validate_json((folder / FILE).read_bytes())}
    except ValidationError:
        return {}
