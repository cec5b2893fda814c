"""The visitors' queries of knowledge/queries: their vectors, and which passage of its card answers each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.encoder import WIDTH, Floats
from bot.retrieval.index import NOT_LOOKED_AT, Entry

FILE = "queries.npz"
LIKENESS = 0.04  # a query this much further away (cosine) counts a third


@dataclass(frozen=True)
class QueryBank:
    """Queries, the card each belongs to and the passage that answers it.

    Attributes:
        vectors: float32 (queries, 384), unit length.
        cards: the card's id of each row.
        leads: int (queries,), the passage's position, NO_PASSAGE or NOT_LOOKED_AT.
    """

    vectors: Floats
    cards: npt.NDArray[np.str_]
    leads: npt.NDArray[np.int64]

    @classmethod
    def load(cls, folder: Path) -> QueryBank:
        """Read what `write` wrote.

        Raises:
            OSError: when it is missing.
        """
        with np.load(folder / FILE) as stored:
            return cls(stored["vectors"], stored["cards"], stored["leads"])

    def of(self, cards: Collection[str]) -> QueryBank:
        """The queries of some cards alone."""
        kept = np.isin(self.cards, list(cards))
        if kept.all():
            return self
        return QueryBank(self.vectors[kept], self.cards[kept], self.leads[kept])

    @cached_property
    def _looked_at(self) -> dict[str, npt.NDArray[np.int64]]:
        """The rows of each card whose passage is known."""
        rows = np.flatnonzero(self.leads != NOT_LOOKED_AT)
        if not len(rows):
            return {}
        cards, of_card = np.unique(self.cards[rows], return_inverse=True)
        groups = np.split(rows[np.argsort(of_card, kind="stable")], np.cumsum(np.bincount(of_card))[:-1])
        return dict(zip(cards.tolist(), groups, strict=True))

    def answering(self, cosines: Floats, card: str, passages: int) -> Floats:
        """Which passage answers a question, by the queries of its card that are like it.

        Args:
            cosines: (queries,), of the question with each query.

        Returns:
            float32 (passages + 1,): the share of each passage and, last, of none; they add to 1, or are all 0 when nothing is known.
        """
        shares = np.zeros(passages + 1, dtype=np.float32)
        rows = self._looked_at.get(card)
        if rows is not None:
            near = cosines[rows]
            np.add.at(shares, self.leads[rows], np.exp((near - near.max()) / LIKENESS))
            shares /= shares.sum()
        return shares


def write(folder: Path, rows: Sequence[Entry], vectors: Mapping[str, Floats]) -> None:
    """Write the queries' vectors."""
    matrix = np.array([vectors[r.text_hash] for r in rows], dtype=np.float32).reshape(len(rows), WIDTH)
    np.savez(folder / FILE, vectors=matrix, cards=np.array([r.card for r in rows], dtype=np.str_), leads=np.array([r.position for r in rows], dtype=np.int64), hashes=np.array([r.text_hash for r in rows], dtype=np.str_))


def stored_vectors(folder: Path) -> dict[str, Floats]:
    """The vectors of an older bank by the hash of their text."""
    with np.load(folder / FILE) as stored:
        return dict(zip(stored["hashes"].tolist(), stored["vectors"], strict=True))
