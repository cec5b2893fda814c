"""Adapt the sentence encoder to this knowledge base: queries of one card draw together, others apart.

Multiple negatives ranking (Henderson et al. 2017, arXiv 1705.00652): in a batch of queries from different
cards, each must find its partner (another query or the title of the same card) among all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.retrieval.card import Card
from bot.training import deltas
from bot.training.examples import misspell
from bot.training.export import load_minilm, minilm_folder, pooled

BATCH = 64
LEARNING_RATE = 5e-5
SCALE = 20.0
MAX_TOKENS = 32


def train(
    cards: Mapping[str, Card], queries: Mapping[str, list[str]], epochs: int, seed: int, progress: Callable[[str, int, int], None]
) -> Any:
    """Fine-tune the pooled encoder. Returns the torch module."""
    import torch

    from bot.encoder import open_tokenizer

    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = pooled(load_minilm())
    for parameter in model.model.embeddings.parameters():
        parameter.requires_grad = False
    model.train()
    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", MAX_TOKENS)
    texts = {i: [*c.questions, *queries.get(i, ())] for i, c in cards.items()}
    pairs = [(i, t) for i, own in texts.items() for t in own]
    steps = epochs * (len(pairs) // BATCH)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 2, pct_start=0.1, anneal_strategy="linear")

    def encode(batch: list[str]) -> Any:
        rows = tokenizer.encode_batch(batch)
        return model(
            torch.tensor([r.ids for r in rows]), torch.tensor([r.attention_mask for r in rows]), torch.tensor([r.type_ids for r in rows])
        )

    def partner(card: str, query: str) -> str:
        return cards[card].title if rng.random() < 0.25 else rng.choice([t for t in texts[card] if t != query])

    step = 0
    for epoch in range(epochs):
        rng.shuffle(pairs)
        waiting = list(pairs)
        while len(waiting) >= BATCH and step < steps:
            # One query a card in a batch, or a partner would count as a wrong answer.
            batch: list[tuple[str, str]] = []
            rest: list[tuple[str, str]] = []
            seen: set[str] = set()
            for card, query in waiting:
                if card in seen or len(batch) == BATCH:
                    rest.append((card, query))
                else:
                    seen.add(card)
                    batch.append((card, query))
            waiting = rest
            if len(batch) < BATCH // 2:
                break
            left = encode([misspell(q, rng, 0.05) if rng.random() < 0.15 else q for _, q in batch])
            right = encode([partner(c, q) for c, q in batch])
            scores = left @ right.T * SCALE
            target = torch.arange(len(batch))
            loss = (torch.nn.functional.cross_entropy(scores, target) + torch.nn.functional.cross_entropy(scores.T, target)) / 2
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            progress(f"epoch {epoch + 1}/{epochs} loss {loss.item():.2f}", step, steps)
    return model.eval()


def save(model: Any, path: Path) -> None:
    """Write the adapted weights."""
    deltas.save(model, pooled(load_minilm()), path)


def load(path: Path) -> Any:
    """The adapted encoder, or the base encoder when `path` does not exist."""
    model = pooled(load_minilm())
    return deltas.load(model, path).eval() if path.exists() else model.eval()
