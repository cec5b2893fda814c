"""`lantern train`: fine-tune MiniLM into the router, reproducibly, from prompts/intents. Needs torch.

The word embeddings stay frozen, so the committed weights are the twelve-million-parameter encoder only
(half precision) and the pinned base model supplies the rest.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.conversation import ACTION_OF, Category
from bot.encoder import WIDTH, Floats
from bot.guardrails.ngrams import NgramClassifier
from bot.guardrails.normalize import normalize
from bot.guardrails.router import MAX_TOKENS, WEIGHTS, Probabilities, context_of, mix
from bot.guardrails.rules import RuleSet, load_rules
from bot.guardrails.screen import Classify, Screen
from bot.training import deltas, ngrams, thresholds
from bot.training.examples import CATEGORIES, LATER, Example, augment, hosts, load_examples, split, talk
from bot.training.export import MINILM_SHA256, load_minilm, mean_of, minilm_folder, tensors, to_int8

BATCH = 32
LEARNING_RATE = 1.8e-4
FURTHER_RATE = 9e-5
LABEL_SMOOTHING = 0.03
HELD_OUT = 0.06
REPEATED = 0.4
# After a later wave the weights are a mean of those before and after it, the latter with this share (Wortsman et al. 2022, arXiv 2203.05482).
# Action held out, older waves and the newest: before 88.3 and 90.5%, after 88.2 and 91.1%, their mean 88.8 and 91.2%.
AFTER = 0.6


def classifier() -> Any:
    """MiniLM with mean pooling and a linear head over the categories."""
    import torch

    class Classifier(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = load_minilm()
            self.dropout = torch.nn.Dropout(0.1)
            self.head = torch.nn.Linear(WIDTH, len(CATEGORIES))

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            hidden = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            return self.head(self.dropout(mean_of(hidden, attention_mask)))

    return Classifier()


def pair_of(example: Example) -> tuple[str, str]:
    """(last message, context) exactly as the screen presents them when serving."""
    return normalize(example.last).canonical or example.last, context_of([normalize(t).canonical for t in example.turns[:-1]])


def _tokens(tokenizer: Any, pairs: Sequence[tuple[str, str]], device: str) -> dict[str, Any]:
    return {name: rows.to(device) for name, rows in tensors(tokenizer, [a if not b else (a, b) for a, b in pairs]).items()}


def train(
    examples: Sequence[Example], epochs: int, seed: int, progress: Callable[[str, int, int], None], start: Any = None
) -> Any:
    """Fine-tune one classifier; the same seed on the same machine gives the same weights.

    Args:
        start: a classifier to go on from, at half the rate; None: the base model.

    Returns:
        The trained torch module, on the CPU.
    """
    import torch

    from bot.encoder import open_tokenizer

    torch.manual_seed(seed)
    rng = random.Random(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, rate = (classifier(), LEARNING_RATE) if start is None else (start, FURTHER_RATE)
    for parameter in model.encoder.embeddings.word_embeddings.parameters():
        parameter.requires_grad = False
    model.to(device).train()
    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", MAX_TOKENS)
    counts = np.array([max(1, sum(e.category is c for e in examples)) for c in CATEGORIES], dtype=np.float64)
    weights = torch.tensor((counts.mean() / counts) ** 0.3, dtype=torch.float32, device=device)
    loss_of = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=LABEL_SMOOTHING)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    steps = epochs * ((len(examples) + BATCH - 1) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1, anneal_strategy="linear")
    benign, before = hosts(examples), talk(examples)
    step = 0
    for epoch in range(epochs):
        rows = [(pair_of(augment(e, benign, before, rng) if epoch > 0 or start is not None else e), CATEGORIES.index(e.category)) for e in examples]
        rng.shuffle(rows)
        # Bucketing by length keeps batches nearly free of padding; buckets are shuffled again.
        chunk = BATCH * 40
        batches = []
        for at in range(0, len(rows), chunk):
            part = sorted(rows[at : at + chunk], key=lambda r: len(r[0][0]) + len(r[0][1]))
            batches += [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
        rng.shuffle(batches)
        for batch in batches:
            logits = model(**_tokens(tokenizer, [p for p, _ in batch], device))
            loss = loss_of(logits, torch.tensor([y for _, y in batch], device=device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 10 == 0 or step == steps:
                progress(f"epoch {epoch + 1}/{epochs} loss {loss.item():.2f}", step, steps)
    return model.cpu().eval()


def probabilities(model: Any, second: NgramClassifier, pairs: list[tuple[str, str]]) -> tuple[Floats, Floats]:
    """What encoder and n-gram classifier say of (last message, context) pairs, each (n, categories)."""
    import torch

    from bot.encoder import open_tokenizer

    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", MAX_TOKENS)
    with torch.no_grad():
        first = [torch.softmax(model(**_tokens(tokenizer, pairs[i : i + 32], "cpu")), dim=1).numpy() for i in range(0, len(pairs), 32)]
    return np.concatenate(first), np.stack([second(*pair) for pair in pairs])


def classify(model: Any, second: NgramClassifier, temperature: float) -> Classify:
    """Both classifiers as the router that the screen calls."""

    def run(pairs: list[tuple[str, str]]) -> list[Probabilities]:
        rows = mix(*probabilities(model, second, pairs), temperature)
        return [dict(zip(CATEGORIES, map(float, row), strict=True)) for row in rows]

    return run


def fit_temperature(first: Floats, second: Floats, truth: Sequence[int]) -> float:
    """The temperature that minimises held-out log loss (Guo et al. 2017, arXiv 1706.04599), by grid."""
    rows = np.arange(len(truth))

    def loss(t: float) -> float:
        return float(-np.mean(np.log(mix(first, second, t)[rows, list(truth)] + 1e-9)))

    return min((round(0.3 + 0.05 * i, 2) for i in range(50)), key=loss)


def report(scores: Floats, examples: Sequence[Example]) -> dict[str, float]:
    """Held-out accuracy by category, by action, and the rates that matter."""
    guess = [CATEGORIES[i] for i in scores.argmax(axis=1)]
    truth = [e.category for e in examples]
    def rate(rows: list[bool]) -> float:
        return round(float(np.mean(rows)), 4) if rows else float("nan")
    def act(c: Category) -> str:
        return ACTION_OF[c].value
    pairs = list(zip(guess, truth, strict=True))
    benign = [(g, t) for g, t in pairs if act(t) == "answer"]
    return {
        "category accuracy": rate([g is t for g, t in pairs]),
        "action accuracy": rate([act(g) == act(t) for g, t in pairs]),
        "unsafe refused": rate([act(g) in ("refuse", "crisis") for g, t in pairs if act(t) == "refuse"]),
        "crisis found": rate([act(g) == "crisis" for g, t in pairs if act(t) == "crisis"]),
        "honest refused": rate([act(g) == "refuse" for g, _ in benign]),
        "false crisis": rate([act(g) == "crisis" for g, t in pairs if act(t) != "crisis"]),
        "honest answered": rate([act(g) == "answer" for g, _ in benign]),
        "deferred": rate([act(g) == "defer" for g, t in pairs if act(t) == "defer"]),
        "examples": len(pairs),
    }


def save_weights(model: Any, folder: Path) -> None:
    """Write router.safetensors, the difference from the base model."""
    deltas.save(model, classifier(), folder / "router.safetensors")


def copied(model: Any) -> dict[str, Any]:
    """A module's weights as they are now."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def averaged(before: dict[str, Any], model: Any) -> Any:
    """`model` with its weights averaged with those before its last pass."""
    model.load_state_dict({name: value if not value.is_floating_point() else (1 - AFTER) * before[name] + AFTER * value for name, value in model.state_dict().items()})
    return model


def calibrate(model: Any, second: NgramClassifier, held: Sequence[Example], seed: int) -> dict[str, Any]:
    """Temperature, thresholds and measured rates on examples that neither classifier has seen."""
    both = probabilities(model, second, [pair_of(e) for e in held])
    truth = [CATEGORIES.index(e.category) for e in held]
    temperature = fit_temperature(*both, truth)
    chosen, lowest = thresholds.choose(Screen(RuleSet(load_rules()), classify(model, second, temperature)), held, seed)
    return {
        "labels": [c.value for c in CATEGORIES],
        "temperature": temperature,
        "thresholds": thresholds.as_dict(chosen),
        "mean_cost": round(lowest, 4),
        "held_out": report(mix(*both, temperature), held),
        "held_out_encoder_alone": report(both[0], held),
        "held_out_ngrams_alone": report(both[1], held),
    }


def load(folder: Path = WEIGHTS) -> Any:
    """The trained classifier as a torch module.

    Raises:
        RuntimeError: when the committed weights do not fit the base model.
    """
    return deltas.load(classifier(), folder / "router.safetensors").eval()


def export(folder: Path) -> None:
    """Write router.onnx (int8) from the committed weights and the pinned base model."""
    to_int8(load(), folder / "router.onnx", "logits")


def data_hash(examples: Sequence[Example]) -> str:
    """SHA-256 over everything the router learns from."""
    rows = sorted(json.dumps([e.turns, e.category.value], ensure_ascii=False) for e in examples)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def run(
    intents: Path, epochs: int, seed: int, progress: Callable[[str, int, int], None], folder: Path = WEIGHTS, further: bool = False
) -> dict[str, Any]:
    """Train on all but a held-out share of the briefs, calibrate and measure on that share, and save.

    The first wave of examples is learnt from the base model in `epochs` passes, each later one in one more pass, where it comes twice
    beside two fifths of what came before, lest that be forgotten, and is then averaged with what stood before it; so a new wave costs a
    fifth of the time.

    Args:
        further: go on from the committed weights instead: the pass for the last wave alone.

    Returns:
        The manifest written beside the weights.
    """
    import torch

    torch.set_flush_denormal(True)
    examples = load_examples(intents)
    started = time.monotonic()
    waves = [split([e for e in examples if e.wave == wave], HELD_OUT, seed) for wave in range(1 + len(LATER))]
    kept, held = waves[0]
    model = load(folder) if further else train(kept, epochs, seed, progress)
    for number, (new, new_held) in enumerate(waves[1:], 1):
        if new and (number == len(LATER) or not further):
            repeated = random.Random(seed + number).sample(kept, round(REPEATED * len(kept)))
            before = copied(model)
            model = averaged(before, train([*repeated, *new, *new], 1, seed + number, progress, model))
        kept, held = kept + new, held + new_held
    save_weights(model, folder)
    ngrams.train([pair_of(e) for e in kept], [e.category for e in kept], CATEGORIES, seed, folder / "ngrams.npz")
    manifest = {
        **calibrate(model, NgramClassifier(folder / "ngrams.npz"), held, seed),
        "data": data_hash(examples),
        "examples": len(examples),
        "base_model": MINILM_SHA256,
        "seed": seed,
        "epochs": epochs,
        "waves": [sum(map(len, wave)) for wave in waves],
        "torch": torch.__version__,
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    (folder / "router.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest
