"""The vector index: what is embedded of each card, and how it is stored in Chroma and opened again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings as ChromaSettings

from bot.encoder import Floats
from bot.retrieval.card import UNCOVERED, Card, Query

NO_PASSAGE, NOT_LOOKED_AT = -1, -2  # in place of a query's passage


@dataclass(frozen=True)
class Entry:
    """One embedded text: a card's title, one of its questions or passages, or a visitor's query.

    Attributes:
        position: which question or passage of the card it is; of a query: which passage answers it, NO_PASSAGE or NOT_LOOKED_AT.
    """

    id: str
    card: str
    kind: str
    position: int
    text: str

    @property
    def text_hash(self) -> str:
        """What decides whether a vector from an older index can be used again."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def card_of(entry: str) -> str:
    """The card that an entry's id names."""
    return entry.partition("#")[0]


def passage_of(entry: str) -> int | None:
    """The position of the passage that an entry's id names; None for a title or a question."""
    _, _, position = entry.partition("#passage")
    return int(position) if position else None


def entries(cards: Iterable[Card]) -> Iterator[Entry]:
    """The vetted texts, several a card: title, questions, passages."""
    for card in cards:
        yield Entry(f"{card.id}#title", card.id, "title", 0, card.title)
        for i, question in enumerate(card.questions):
            yield Entry(f"{card.id}#question{i}", card.id, "question", i, question)
        for i, passage in enumerate(card.passages):
            yield Entry(f"{card.id}#passage{i}", card.id, "passage", i, f"{card.title} {passage.text}")


def query_entries(cards: Iterable[Card], queries: Mapping[str, Sequence[Query]]) -> Iterator[Entry]:
    """Visitors' queries of the cards, and the questions known to have none."""
    for card in cards:
        for i, query in enumerate(queries.get(card.id, ())):
            position = card.opening_with(query.lead) if query.lead else NO_PASSAGE if query.lead == "" else None
            yield Entry(f"{card.id}#query{i}", card.id, "query", NOT_LOOKED_AT if position is None else position, query.text)
    for i, query in enumerate(queries.get(UNCOVERED, ())):
        yield Entry(f"{UNCOVERED}#query{i}", UNCOVERED, "query", NOT_LOOKED_AT, query.text)


def connect(folder: Path, url: str | None = None) -> Any:
    """A Chroma client, embedded in `folder` or talking to the server at `url`. Telemetry is off."""
    settings = ChromaSettings(anonymized_telemetry=False)
    if url:
        host, _, port = url.split("//")[-1].rstrip("/").partition(":")
        return chromadb.HttpClient(host=host, port=int(port or 8000), ssl=url.startswith("https"), settings=settings)
    return chromadb.PersistentClient(str(folder / "chroma"), settings=settings)


def embed(
    rows: Iterable[Entry], encode: Callable[[list[str]], Floats], known: Mapping[str, Floats], progress: Callable[[int, int], None]
) -> tuple[dict[str, Floats], int]:
    """The vectors of all texts by their hash, those of `known` among them, and how many had to be embedded."""
    new = list({row.text_hash: row.text for row in rows if row.text_hash not in known}.items())
    vectors = dict(known)
    for start in range(0, len(new), 64):
        part = new[start : start + 64]
        vectors.update(zip((h for h, _ in part), encode([text for _, text in part]), strict=True))
        progress(start + len(part), len(new))
    return vectors, len(new)


def write(client: Any, rows: list[Entry], vectors: Mapping[str, Floats], collection: str) -> None:
    """Fill a fresh collection. The texts stay in the cards: indexing them for a full-text search that nobody makes took half of a build."""
    store = client.create_collection(collection, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None)
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        store.add(
            ids=[r.id for r in part],
            embeddings=np.array([vectors[r.text_hash] for r in part], dtype=np.float32),
            metadatas=[{"hash": r.text_hash} for r in part],
        )


def stored_vectors(client: Any, collection: str) -> dict[str, Floats]:
    """The vectors of an existing index by the hash of their text, to save embedding them again."""
    rows = client.get_collection(collection, embedding_function=None).get(include=["embeddings", "metadatas"])
    return {m["hash"]: np.asarray(v, dtype=np.float32) for m, v in zip(rows["metadatas"], rows["embeddings"], strict=True)}
