"""`lantern train-retriever`: teach the sentence encoder this subject's questions, from the cards and knowledge/queries. Needs torch.

Contrastive learning with in-batch negatives (multiple negatives ranking, Henderson et al. 2017, arXiv 1705.00652): two texts
of one card are drawn together, texts of the other cards in the batch pushed apart. Most of a batch comes from one topic, so
that the negatives are neighbors. As for the router, the word embeddings stay frozen and the difference from the base is stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.guardrails.router import WEIGHTS
from bot.retrieval.card import Card, Query
from bot.training import deltas
from bot.training.export import load_minilm, minilm_folder, pooled, tensors

BATCH = 48
LEARNING_RATE = 6e-5
SHARPNESS = 20.0  # cosines are multiplied by this before the softmax, as sentence-transformers does
MAX_TOKENS = 72
CHUNK = 12
SAME_TOPIC = 0.7
AGAINST_PASSAGE = 0.35
FILE = WEIGHTS / "retriever.safetensors"


def pairs(cards: Mapping[str, Card], queries: Mapping[str, Sequence[Query]], rng: random.Random) -> list[tuple[str, str, str]]:
    """(card, question, another text of that card) once for each question, in batches' order."""
    by_topic: dict[str, list[tuple[str, str, str]]] = {}
    for card in cards.values():
        asked = [card.title, *card.questions, *(q.text for q in queries.get(card.id, ()))]
        for question in asked[1:]:
            passage = f"{card.title} {rng.choice(card.passages).text}"
            other = passage if rng.random() < AGAINST_PASSAGE else rng.choice([q for q in asked if q != question])
            by_topic.setdefault(card.topic, []).append((card.id, question, other))
    for rows in by_topic.values():
        rng.shuffle(rows)
    mixed: list[tuple[str, str, str]] = []
    for rows in by_topic.values():
        cut = int(SAME_TOPIC * len(rows))
        mixed += rows[cut:]
        del rows[cut:]
    rng.shuffle(mixed)
    own = int(SAME_TOPIC * BATCH)
    batches = [rows[i : i + own] for rows in by_topic.values() for i in range(0, len(rows), own)]
    rng.shuffle(batches)
    for batch in batches:
        while len(batch) < BATCH and mixed:
            batch.append(mixed.pop())
    return [row for batch in batches for row in batch]


def train(
    cards: Mapping[str, Card], queries: Mapping[str, Sequence[Query]], epochs: int, seed: int, progress: Callable[[str, int, int], None]
) -> Any:
    """Fine-tune the encoder; the same seed on the same machine gives the same weights. Returns the transformers model."""
    import torch

    from bot.encoder import open_tokenizer

    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    rng = random.Random(seed)
    encoder = load_minilm()
    encoder.embeddings.word_embeddings.weight.requires_grad = False
    model = pooled(encoder).train()
    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", MAX_TOKENS)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.01)
    rounds = [pairs(cards, queries, rng) for _ in range(epochs)]
    steps = sum(-(-len(rows) // BATCH) for rows in rounds)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1, anneal_strategy="linear")

    def vectors(texts: list[str]) -> Any:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: list[Any] = []
        for start in range(0, len(order), CHUNK):  # texts of one length together: hardly any padding
            found.append(model(**tensors(tokenizer, [texts[i] for i in order[start : start + CHUNK]])))
        return torch.cat(found)[torch.tensor(order).argsort()]

    step = 0
    for epoch, rows in enumerate(rounds):
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            scores = vectors([q for _, q, _ in batch]) @ vectors([t for _, _, t in batch]).T * SHARPNESS
            same = torch.tensor([[i != j and a[0] == b[0] for j, b in enumerate(batch)] for i, a in enumerate(batch)])
            scores = scores.masked_fill(same, float("-inf"))  # another text of the same card is no negative
            truth = torch.arange(len(batch))
            loss = (torch.nn.functional.cross_entropy(scores, truth) + torch.nn.functional.cross_entropy(scores.T, truth)) / 2
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 10 == 0 or step == steps:
                progress(f"epoch {epoch + 1}/{epochs} loss {loss.item():.2f}", step, steps)
    return encoder.eval()


def save(encoder: Any, path: Path = FILE) -> None:
    """Write the encoder's difference from the base model."""
    deltas.save(encoder, load_minilm(), path)


def load(path: Path = FILE) -> Any:
    """The sentence encoder as served: the base model with the stored difference, or the base model alone when there is none.

    Raises:
        RuntimeError: when the stored difference does not fit the base model.
    """
    return deltas.load(load_minilm(), path).eval() if path.exists() else load_minilm()
