"""Thousands of turns with every scripted model: nothing forbidden is ever shown, no action changes, nobody is left without an answer.

LANTERN_TEST_TURNS sets how many turns the first test plays (default 320; 2,400 for the figures in docs/models.md).
"""

from __future__ import annotations

import os
import re
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from bot.assistant import Assistant
from bot.conversation import Conversation, Reply
from evals.checks import Checker
from evals.scripted import SCRIPTS
from tests.support.model_server import ModelServer

from .conftest import turns

Make = Callable[..., Assistant]
TURNS = int(os.environ.get("LANTERN_TEST_TURNS", "320"))
PLAYED = (*SCRIPTS, "dies", "half-json", "prose", "malformed")
NUMBER = re.compile(r"\[(\d+)\]")

pytestmark = pytest.mark.slow  # thousands of turns against a real server: minutes


def questions(count: int) -> list[Conversation]:
    """Honest, deferred and hostile messages in turn, so that every kind of turn meets every script."""
    suites = [turns(name, count) for name in ("honest", "retrieval", "personal_medical", "near_misses", "refusals", "multiturn", "other", "crisis")]
    longest = max(map(len, suites))
    mixed = [suite[i] for i in range(longest) for suite in suites[:3] * 2 + suites[3:] if i < len(suite)]
    return [Conversation.of(*t) for t in dict.fromkeys(mixed)][:count]


def test_no_scripted_model_gets_anything_past_the_gate(server: ModelServer, with_model: Make, plain: Assistant) -> None:
    checker, urls = Checker(), {s.url for s in plain.knowledge.sources.values()}
    each = -(-TURNS // len(PLAYED))
    asked = questions(each)
    wrong: list[str] = []
    writers: Counter[str] = Counter()
    played = 0
    for script in PLAYED:
        assistant = with_model(server, script)
        assert assistant.writer is not None
        for conversation in asked:
            assistant.writer.caller.breaker.good()  # every turn is to meet the model
            played += 1
            shown = ""
            for part in assistant.stream(conversation):
                if isinstance(part, str):
                    shown += part
                    wrong += [f"{script}: streamed {f}" for f in checker.faults(shown, True)]
                    continue
                reply = part
            writers[f"{script} {reply.writer}"] += 1
            wrong += [f"{script}: {f}" for f in checker.faults(reply.text, True)]
            wrong += [f"{script}: cites {c.url}" for c in reply.citations if c.url not in urls]
            used = {int(n) for n in NUMBER.findall(reply.text)}
            if used != {c.n for c in reply.citations}:
                wrong.append(f"{script}: marks {sorted(used)} without their sources")
    print(f"\n{played} turns; {sum(n for w, n in writers.items() if w.endswith('generative'))} worded by a model; {dict(writers)}")
    assert wrong == []


def test_a_model_changes_no_action_and_no_category(server: ModelServer, with_model: Make, plain: Assistant) -> None:
    conversations = questions(max(60, TURNS // 8))
    before = Counter((r.action.value, r.category.value) for r in (plain.reply(c) for c in conversations))
    for script in ("faithful", "obeys", "everything"):
        assistant = with_model(server, script)
        pairs = [(plain.reply(c), assistant.reply(c)) for c in conversations]
        assert [(a.action, a.category) for a, _ in pairs] == [(b.action, b.category) for _, b in pairs]
        assert Counter((b.action.value, b.category.value) for _, b in pairs) == before


def test_the_first_sentence_is_hardly_held_up(server: ModelServer, with_model: Make) -> None:
    server.delay = 0.02  # five characters in 20 ms: about sixty tokens a second
    assistant = with_model(server, "faithful")
    for turn in turns("retrieval", 14):
        assistant.reply(Conversation.of(*turn))
    assert assistant.writer is not None
    first = assistant.writer.counts.first[2:]  # the first turns warm the encoder and the connection
    ratio = [shown / complete for complete, shown in first]
    held = [(shown - complete) * 1000 for complete, shown in first]
    print(f"\nfirst shown / first complete: median {statistics.median(ratio):.3f}, worst {max(ratio):.3f}; held {statistics.median(held):.1f} ms, over {len(first)} turns")
    assert statistics.median(ratio) <= 1.1


@pytest.mark.parametrize("after", [0.15, 0.6])
def test_killing_the_model_server_leaves_nobody_without_an_answer(after: float, with_model: Make, plain: Assistant) -> None:
    conversations = [Conversation.of(*t) for t in turns("retrieval", 50)]
    expected = [plain.reply(c) for c in conversations]
    with ModelServer(delay=0.02) as server:
        assistant = with_model(server, "faithful", model_at_once=64, model_first=8.0)
        replies: list[Reply | None] = [None] * len(conversations)

        def visit(i: int) -> None:
            replies[i] = assistant.reply(conversations[i])

        threads = [threading.Thread(target=visit, args=(i,)) for i in range(len(conversations))]
        for t in threads:
            t.start()
        deadline = time.monotonic() + 20
        while server.asked.total() < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(after)
        server.kill()
        for t in threads:
            t.join(30)
    assert all(r is not None for r in replies), "somebody is still waiting"
    got = [r for r in replies if r is not None]
    print(f"\n{Counter(r.writer for r in got)} {Counter(r.why.rsplit('model: ', 1)[-1] for r in got if 'model: ' in r.why)}")
    assert assistant.failures == 0
    for without, reply in zip(expected, got, strict=True):
        assert (reply.action, reply.category) == (without.action, without.category)
        assert reply.writer == "generative" or reply.text == without.text
