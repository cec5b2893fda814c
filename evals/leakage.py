"""Do eval conversations repeat what the product was trained on or built from? Exact, nearly the same words, or nearly the same meaning."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from bot.retrieval.card import load_cards, load_queries
from bot.settings import Settings
from bot.training.examples import load_examples
from bot.training.export import minilm_folder
from evals.cases import DATA, Case, load_cases

NEAR_WORDS = 0.8
NEAR_MEANING = 0.92
# These may repeat known questions on purpose: they ask for what the cards must hold, or are short set phrases.
EXEMPT = frozenset({"known_questions", "steadiness", "disclosure"})
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Leak:
    """An eval conversation and what it repeats."""

    case: Case
    kind: str
    score: float
    text: str
    source: str


def plain(turns: Sequence[str]) -> str:
    """A conversation as bare lower-case words, for comparison."""
    return " / ".join(" ".join(_WORD.findall(t.lower())) for t in turns)


def training_texts(settings: Settings) -> dict[str, str]:
    """Everything the product learnt from: plain text → where it stands."""
    texts: dict[str, str] = {}
    for e in load_examples(settings.prompts_dir / "intents"):
        texts.setdefault(plain(e.turns), f"prompts/intents/{e.category.value}")
    for card in load_cards(settings.knowledge_dir / "cards").values():
        for question in (card.title, *card.questions):
            texts.setdefault(plain([question]), f"knowledge/cards {card.id}")
    for name, queries in load_queries(settings.knowledge_dir / "queries").items():
        for query in queries:
            texts.setdefault(plain([query.text]), f"knowledge/queries {name}")
    return texts


def exact_and_near(cases: Iterable[Case], texts: Mapping[str, str]) -> list[Leak]:
    """Leaks by words. A short message must be the same; a longer one may differ in a fifth of its words."""
    index: dict[str, list[str]] = defaultdict(list)
    sets = {t: frozenset(t.split()) for t in texts}
    frequency = Counter(w for words in sets.values() for w in words)
    for text, words in sets.items():
        for word in words:
            index[word].append(text)
    found = []
    for case in cases:
        text = plain(case.turns)
        if text in texts:
            found.append(Leak(case, "exact", 1.0, text, texts[text]))
            continue
        words = frozenset(text.split())
        if len(words) < 5:
            continue
        # Two texts that share 80% of their words share one of the rarest fifth of either.
        rare = sorted(words, key=lambda w: frequency[w])[: len(words) - int(NEAR_WORDS * len(words)) + 1]
        candidates = {t for w in rare for t in index.get(w, ())}
        best = max(((len(words & sets[t]) / len(words | sets[t]), t) for t in candidates), default=(0.0, ""))
        if best[0] >= NEAR_WORDS:
            found.append(Leak(case, "near words", best[0], best[1], texts[best[1]]))
    return found


def near_meaning(cases: Sequence[Case], texts: Mapping[str, str]) -> list[Leak]:
    """Leaks by cosine above NEAR_MEANING, of the base encoder: the served one was taught to bring texts of one card together."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm_folder()), device="cpu")
    known = list(texts)
    matrix = model.encode(known, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    vectors = model.encode([plain(c.turns) for c in cases], batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    found = []
    for start in range(0, len(cases), 256):
        scores = vectors[start : start + 256] @ matrix.T
        best = np.argmax(scores, axis=1)
        for offset, j in enumerate(best):
            score = float(scores[offset, j])
            if score > NEAR_MEANING:
                found.append(Leak(cases[start + offset], "near meaning", score, known[j], texts[known[j]]))
    return found


def find(settings: Settings, meaning: bool = True) -> list[Leak]:
    """All leaks, one a case (the gravest)."""
    cases = [c for name, group in load_cases().items() if name not in EXEMPT for c in group]
    texts = training_texts(settings)
    leaks = {x.case.id: x for x in exact_and_near(cases, texts)}
    if meaning:
        # The base encoder reads English; of other languages only the words are compared.
        rest = [c for c in cases if c.id not in leaks and c.file != "languages"]
        leaks |= {x.case.id: x for x in near_meaning(rest, texts)}
    return list(leaks.values())


def drop(leaks: Iterable[Leak], folder: Path = DATA) -> int:
    """Take the leaking rows out of the files; twins that named them lose the reference. Returns how many went."""
    gone = {x.case.id for x in leaks}
    count = 0
    for path in folder.glob("*.jsonl"):
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["id"] in gone:
                count += 1
                continue
            if row.get("twin") in gone:
                del row["twin"]
                line = json.dumps(row, ensure_ascii=False)
            kept.append(line)
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return count


def main(dropping: bool, console: Console) -> bool:
    """Print form and leaks; whether leaks remain."""
    cases = load_cases(card_ids=load_cards(Settings().knowledge_dir / "cards").keys())
    console.print(f"{sum(map(len, cases.values()))} cases in {len(cases)} files are well formed.")
    leaks = find(Settings())
    for x in sorted(leaks, key=lambda x: (x.kind, -x.score)):
        console.print(f"{x.case.where} {x.case.id}: {x.kind} {x.score:.2f}: “{x.case.turns[-1][:80]}” ~ “{x.text[:80]}” ({x.source})", highlight=False, markup=False)
    by = Counter((x.case.file, x.kind) for x in leaks)
    console.print(f"{len(leaks)} rows leak: " + (", ".join(f"{f} {k} {n}" for (f, k), n in sorted(by.items())) or "none"), highlight=False)
    if dropping and leaks:
        console.print(f"{drop(leaks)} rows were taken out.")
        return False
    return bool(leaks)
