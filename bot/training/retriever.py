"""`lantern train-retriever`: teach the sentence encoder this subject's questions, from the cards and knowledge/queries. Needs torch.

Contrastive learning with in-batch negatives (multiple negatives ranking, Henderson et al. 2017, arXiv 1705.00652): two texts
of one card are drawn together, texts of the other cards in the batch pushed apart. Most of a batch comes from one topic, so
that the negatives are neighbors. A question whose answering passage is known is drawn to that one and pushed from another of the same
card (a hard negative, Karpukhin et al. 2020, arXiv 2004.04906). As for the router, the word embeddings stay frozen and the difference from
the base is stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bot.guardrails.router import WEIGHTS
from bot.retrieval.card import Card, Query
from bot.training import deltas
from bot.training.export import load_minilm, minilm_folder, pooled, tensors

BATCH = 48
LEARNING_RATE = 6e-5
FURTHER_RATE = 3e-5
SHARPNESS = 20.0  # cosines are multiplied by this before the softmax, as sentence-transformers does
MAX_TOKENS = 72
CHUNK = 12
SAME_TOPIC = 0.7
AGAINST_PASSAGE = 0.35
AGAINST_LEAD = 0.65  # where it is known which passage answers
FILE = WEIGHTS / "retriever.safetensors"


class Pair(NamedTuple):
    """A question, a text of its card that should be near, and one that should not ("" for none)."""

    card: str
    question: str
    near: str
    far: str = ""


def _pair(card: Card, question: Query, asked: Sequence[str], rng: random.Random) -> Pair:
    texts = [f"{card.title} {passage.text}" for passage in card.passages]
    lead = card.opening_with(question.lead) if question.lead else None
    if lead is not None and rng.random() < AGAINST_LEAD:
        return Pair(card.id, question.text, texts[lead], rng.choice([t for i, t in enumerate(texts) if i != lead] or [""]))
    if lead is None and rng.random() < AGAINST_PASSAGE:
        return Pair(card.id, question.text, rng.choice(texts))
    return Pair(card.id, question.text, rng.choice([q for q in asked if q != question.text]))


def pairs(cards: Mapping[str, Card], queries: Mapping[str, Sequence[Query]], rng: random.Random) -> list[Pair]:
    """Each question with another text of its card, in batches' order."""
    by_topic: dict[str, list[Pair]] = {}
    for card in cards.values():
        questions = [*map(Query, card.questions), *queries.get(card.id, ())]
        asked = [card.title, *(q.text for q in questions)]
        by_topic.setdefault(card.topic, []).extend(_pair(card, question, asked, rng) for question in questions)
    for rows in by_topic.values():
        rng.shuffle(rows)
    mixed: list[Pair] = []
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
    cards: Mapping[str, Card], queries: Mapping[str, Sequence[Query]], epochs: int, seed: int, progress: Callable[[str, int, int], None], start: Any = None
) -> Any:
    """Fine-tune the encoder; the same seed on the same machine gives the same weights.

    Args:
        start: an encoder to go on from, at half the rate; None: the base model.

    Returns:
        The transformers model.
    """
    import torch

    from bot.encoder import open_tokenizer

    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    rng = random.Random(seed)
    encoder, rate = (load_minilm(), LEARNING_RATE) if start is None else (start, FURTHER_RATE)
    encoder.embeddings.word_embeddings.weight.requires_grad = False
    model = pooled(encoder).train()
    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", MAX_TOKENS)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    rounds = [pairs(cards, queries, rng) for _ in range(epochs)]
    steps = sum(-(-len(rows) // BATCH) for rows in rounds)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1, anneal_strategy="linear")

    def vectors(texts: list[str]) -> Any:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: list[Any] = []
        for at in range(0, len(order), CHUNK):  # texts of one length together: hardly any padding
            found.append(model(**tensors(tokenizer, [texts[i] for i in order[at : at + CHUNK]])))
        return torch.cat(found)[torch.tensor(order).argsort()]

    step = 0
    for epoch, rows in enumerate(rounds):
        for at in range(0, len(rows), BATCH):
            batch = rows[at : at + BATCH]
            far = [i for i, row in enumerate(batch) if row.far]
            asked = vectors([row.question for row in batch])
            scores = asked @ vectors([*(row.near for row in batch), *(batch[i].far for i in far)]).T * SHARPNESS
            owners = [*range(len(batch)), *far]
            # another text of the same card is no negative, but for the question's own
            same = torch.tensor([[row.card == batch[j].card and i != j for j in owners] for i, row in enumerate(batch)])
            scores = scores.masked_fill(same, float("-inf"))
            truth = torch.arange(len(batch))
            back = scores[:, : len(batch)].T
            loss = (torch.nn.functional.cross_entropy(scores, truth) + torch.nn.functional.cross_entropy(back, truth)) / 2
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
