"""The visitors' queries of knowledge/queries as one matrix, searched exactly.

Kept out of Chroma: there are four of them for each text of a card. Over both together (19,350) a scan took 1.5 to 1.8 ms, where the
approximate index took 5.0 and missed one neighbor in forty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.encoder import WIDTH, Floats
from bot.retrieval.index import Entry

FILE = "queries.npz"


@dataclass(frozen=True)
class QueryBank:
    """Queries and the card each belongs to.

    Attributes:
        vectors: float32 (queries, 384), unit length.
        cards: the card's id of each row.
    """

    vectors: Floats
    cards: npt.NDArray[np.str_]

    @classmethod
    def load(cls, folder: Path) -> QueryBank:
        """Read what `write` wrote.

        Raises:
            OSError: when it is missing.
        """
        with np.load(folder / FILE) as stored:
            return cls(stored["vectors"], stored["cards"])

    def of(self, cards: Collection[str]) -> QueryBank:
        """The queries of some cards alone."""
        kept = np.isin(self.cards, list(cards))
        return QueryBank(self.vectors[kept], self.cards[kept])

    def nearest(self, vectors: Floats, k: int) -> list[list[tuple[str, float]]]:
        """For each row of `vectors` (n, 384), the card and cosine of its `k` closest queries, closest first."""
        scores = self.vectors @ vectors.T
        found = []
        for column in scores.T:
            best = np.argpartition(-column, k)[:k] if k < len(column) else np.arange(len(column))
            best = best[np.argsort(-column[best], kind="stable")]
            found.append([(str(self.cards[i]), float(column[i])) for i in best])
        return found


def write(folder: Path, rows: Sequence[Entry], vectors: Mapping[str, Floats]) -> None:
    """Write the queries' vectors."""
    matrix = np.array([vectors[r.text_hash] for r in rows], dtype=np.float32).reshape(len(rows), WIDTH)
    np.savez(folder / FILE, vectors=matrix, cards=np.array([r.card for r in rows], dtype=np.str_), hashes=np.array([r.text_hash for r in rows], dtype=np.str_))


def stored_vectors(folder: Path) -> dict[str, Floats]:
    """The vectors of an older bank by the hash of their text."""
    with np.load(folder / FILE) as stored:
        return dict(zip(stored["hashes"].tolist(), stored["vectors"], strict=True))
