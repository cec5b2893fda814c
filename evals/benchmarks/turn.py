"""Time and memory of a turn, beside an ordinary LangChain + sentence-transformers + Chroma retriever in the same run.

Run: python -m evals.benchmarks.turn [--quick]. Each part runs in a process of its own, so that memory and imports are its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

QUESTIONS = (
    "Can ketamine damage the bladder?", "does it really work for social anxiety?", "how do I find a qualified provider?", "how much should I take?",
    "where can I buy it?", "I have been thinking about ending my life", "Is at-home ketamine legal?", "what does a session feel like",
    "Does insurance pay for it, and how long does it take to work?", "should I stop my sertraline first", "im having a panic attack", "hello",
    "what is the difference between ketamine and esketamine", "is it addictive", "what causes anxiety",
    "my dad had it in hospital for pain, is that the same stuff they use for anxiety these days?",
)  # fmt: skip


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def peak_mb() -> float:
    """This process's highest resident memory so far, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def timed(function: Callable[[str], Any], texts: Sequence[str], rounds: int) -> list[float]:
    """Milliseconds for each call, after one warm-up round."""
    for text in texts:
        function(text)
    took = []
    for _ in range(rounds):
        for text in texts:
            start = time.perf_counter()
            function(text)
            took.append((time.perf_counter() - start) * 1000)
    return took


def lantern(rounds: int) -> dict[str, float]:
    """Lantern: whole turns, the screen alone, start to first answer, peak memory."""
    start = time.perf_counter()
    from bot.conversation import Conversation
    from bot.guardrails.screen import Screen
    from bot.load import load_assistant
    from bot.settings import Settings

    assistant = load_assistant(Settings())
    assistant.reply(Conversation.of(QUESTIONS[0]))
    first = time.perf_counter() - start
    screen = assistant.screen
    assert isinstance(screen, Screen)

    def anew(text: str) -> Conversation:
        screen.forget()  # a visitor's message is a new one; its score must not be remembered from the round before
        return Conversation.of(text)

    turns = timed(lambda q: assistant.reply(anew(q)), QUESTIONS, rounds)
    screens = timed(lambda q: screen(anew(q)), QUESTIONS, rounds)
    worst = {name: max(timed(lambda q: screen(anew(q)), [text], 3)) for name, text in hostile().items()}
    name = max(worst, key=worst.__getitem__)
    print(f"worst input for the screen: {name}", file=sys.stderr)
    return {
        "first_answer_s": first, "turn_p50_ms": percentile(turns, 0.5), "turn_p95_ms": percentile(turns, 0.95), "screen_p50_ms": percentile(screens, 0.5),
        "screen_worst_ms": worst[name], "peak_mb": peak_mb(), "torch": float("torch" in sys.modules),
    }  # fmt: skip


def hostile() -> dict[str, str]:
    """Inputs of 20,000 characters made to be slow."""
    import base64
    import random

    rng = random.Random(3)
    return {
        "letters apart": "h o w  m u c h " * 1300,
        "base64": base64.b64encode(rng.randbytes(14_900)).decode(),
        "hex": rng.randbytes(10_000).hex(),
        "leet": "h0w mu(h k3t4m1n3 5h0uld 1 t4k3 " * 620,
        "look-alikes": "hоw muсh kеtаminе " * 1100,
        "combining marks": "e\u0301\u0316\u0317" * 5000,
        "zero width": "a\u200b" * 10_000,
        "dots": "a.b-c_d*e~f " * 1650,
        "many questions": "how much? " * 2000,
        "random": "".join(chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x400, 0x500), rng.randrange(0x1F300, 0x1F600)))) for _ in range(20_000)),
        "one word": "k" * 20_000,
        "brackets": "<[({" * 5000,
    }


def baseline(rounds: int) -> dict[str, float]:
    """The usual stack: sentence-transformers behind langchain-chroma, one vector a passage, retrieval only."""
    start = time.perf_counter()
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from sentence_transformers import SentenceTransformer

    from bot.retrieval.card import load_cards
    from bot.settings import Settings
    from bot.training.export import minilm_folder

    model = SentenceTransformer(str(minilm_folder()), device="cpu")

    class MiniLM(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [list(map(float, v)) for v in model.encode(texts, normalize_embeddings=True, show_progress_bar=False)]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    documents = [
        Document(page_content=f"{c.title} {p.text}", metadata={"card": c.id}) for c in load_cards(Settings().knowledge_dir / "cards").values() for p in c.passages
    ]
    loaded = time.perf_counter()
    store = Chroma.from_documents(documents, MiniLM())
    built = time.perf_counter()
    retriever = store.as_retriever(search_kwargs={"k": 5})
    retriever.invoke(QUESTIONS[0])
    first = time.perf_counter() - start - (built - loaded)
    turns = timed(lambda q: retriever.invoke(q), QUESTIONS, rounds)
    return {
        "first_answer_s": first, "turn_p50_ms": percentile(turns, 0.5), "turn_p95_ms": percentile(turns, 0.95), "peak_mb": peak_mb(), "full_build_s": built - loaded,
        "torch": float("torch" in sys.modules),
    }  # fmt: skip


def builds() -> dict[str, float]:
    """A full build, and a rebuild after one card changed as a maintainer runs it (`lantern build`), in a folder of their own."""
    import shutil

    from bot.build import build
    from bot.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        knowledge = Path(folder) / "knowledge"
        shutil.copytree(Settings().knowledge_dir, knowledge)
        settings = Settings(index_dir=Path(folder) / "index", knowledge_dir=knowledge)

        def quiet(text: str, done: int, total: int) -> None:
            return None

        start = time.perf_counter()
        build(settings, quiet, True)
        full = time.perf_counter() - start
        card = next(iter(sorted((knowledge / "cards").rglob("*.md"))))
        card.write_text(card.read_text(encoding="utf-8").replace("title: ", "title: In short, ", 1), encoding="utf-8")
        environment = os.environ | {"LANTERN_INDEX_DIR": str(settings.index_dir), "LANTERN_KNOWLEDGE_DIR": str(knowledge)}
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bot.cli", "build"], check=True, capture_output=True, env=environment)
        return {"full_build_s": full, "one_card_rebuild_s": time.perf_counter() - start}


def part(name: str, *arguments: str) -> dict[str, float]:
    """Run one part in a fresh process."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}
    done = subprocess.run([sys.executable, "-m", "evals.benchmarks.turn", "--part", name, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main(quick: bool) -> int:
    """Measure everything and print it beside the limits; 1 when a limit is passed."""
    from evals.gates import load_benchmarks  # not at the top: its imports would count as memory and time of each part

    rounds = "5" if quick else "30"
    ours, usual = part("lantern", rounds), part("baseline", rounds)
    if not quick:
        ours |= part("builds")
    limits = load_benchmarks()
    bad = False
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':<24}{'Lantern':>10}{'usual stack':>13}{'limit':>8}")
    for key in dict.fromkeys([*ours, *usual]):
        limit = limits.get(key)
        over = limit is not None and key in ours and ours[key] > limit.at_most
        bad |= over
        cells = [f"{d[key]:.1f}" if key in d else "–" for d in (ours, usual)]
        print(f"{key:<24}{cells[0]:>10}{cells[1]:>13}{limit.at_most if limit else '':>8}{'  OVER' if over else ''}")
    if ours.get("torch"):
        print("torch was imported while serving")
        bad = True
    return int(bad)


if __name__ == "__main__":
    if "--part" in sys.argv:
        name, *rest = sys.argv[sys.argv.index("--part") + 1 :]
        parts: dict[str, Callable[[], dict[str, float]]] = {
            "lantern": lambda: lantern(int(rest[0])), "baseline": lambda: baseline(int(rest[0])), "builds": builds,
        }  # fmt: skip
        print(json.dumps(parts[name]()))
    else:
        sys.exit(main("--quick" in sys.argv))
