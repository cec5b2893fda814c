"""The encoder served by ONNX Runtime, and the batcher that concurrent callers share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bot.build import IndexFault, open_build
from bot.encoder import Batcher, Encoder
from bot.retrieval.card import Card
from bot.settings import Settings

from .conftest import Small

TEXTS = ["What is ketamine?", "", "a", "Can it harm the bladder? " * 80, "¿Qué es la ketamina?", "😀", "one two three"]


@pytest.fixture(scope="module")
def encoder(small_built: Small) -> Encoder:
    return Encoder(small_built.link.resolve())


def test_vectors_are_unit_float32_rows(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_no_text_gives_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_a_batch_gives_what_single_texts_give(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS, batch=4)
    alone = np.stack([encoder.encode([t])[0] for t in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_close_questions_are_closer_than_far_ones(encoder: Encoder) -> None:
    a, b, c = encoder.encode(["Can ketamine harm the bladder?", "is ketamine bad for your bladder", "What does treatment cost?"])
    assert a @ b > a @ c + 0.2


def test_one_text_from_many_threads(encoder: Encoder) -> None:
    expected = encoder.encode(TEXTS)
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(encoder.encode_one, TEXTS * 8))
    for i, vector in enumerate(got):
        np.testing.assert_allclose(vector, expected[i % len(TEXTS)], atol=1e-4)


class Work:
    """Doubles numbers and remembers the batches; a number of 1,000 or more is an error."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.busy = 0
        self.together = False

    def __call__(self, items: list[int]) -> list[int]:
        self.busy += 1
        self.together |= self.busy > 1
        self.batches.append(len(items))
        try:
            if any(i >= 1000 for i in items):
                raise ValueError("too large")
            return [2 * i for i in items]
        finally:
            self.busy -= 1


def race(batcher: Callable[[int], int], items: list[int], threads: int = 16) -> list[int | Exception]:
    """Call with every item, from threads that start at the same moment."""
    out: list[int | Exception] = [0] * len(items)
    gate = threading.Barrier(threads)

    def worker(k: int) -> None:
        gate.wait()
        for i in range(k, len(items), threads):
            try:
                out[i] = batcher(items[i])
            except Exception as err:
                out[i] = err

    pool = [threading.Thread(target=worker, args=(k,)) for k in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join(60)
    assert not any(t.is_alive() for t in pool), "a caller was left waiting"
    return out


def test_each_caller_gets_its_own_result_under_16_threads() -> None:
    work = Work()
    items = [random.Random(1).randrange(1000) for _ in range(3200)]
    assert race(Batcher(work, limit=8), items) == [2 * i for i in items]
    assert sum(work.batches) == len(items)
    assert max(work.batches) <= 8
    assert not work.together, "the function ran twice at once"


def test_an_error_reaches_its_caller_and_nobody_else_under_16_threads() -> None:
    """One visitor's bad input must not fail the turns that share its batch."""
    rng = random.Random(2)
    items = [rng.randrange(1000) if rng.random() < 0.9 else 1000 + i for i in range(1600)]
    for item, result in zip(items, race(Batcher(Work(), limit=8), items), strict=True):
        if item >= 1000:
            assert isinstance(result, ValueError)
        else:
            assert result == 2 * item


def test_a_function_that_returns_too_few_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        Batcher(lambda items: [])(1)


def test_a_lone_caller_needs_no_other_thread() -> None:
    work = Work()
    assert [Batcher(work)(i) for i in range(5)] == [0, 2, 4, 6, 8]
    assert work.batches == [1] * 5


def test_the_batcher_goes_on_after_an_error() -> None:
    batcher = Batcher(Work())
    with pytest.raises(ValueError, match="too large"):
        batcher(5000)
    assert batcher(2) == 4


@pytest.mark.slow
def test_the_served_encoder_agrees_with_torch(real_settings: Settings, cards: dict[str, Card]) -> None:
    """The ONNX export gives the vectors that PyTorch gives, and the same best card for a sample of questions."""
    torch = pytest.importorskip("torch")
    from bot.encoder import feeds, open_tokenizer
    from bot.training.export import load_minilm, minilm_folder, pooled

    try:
        served = Encoder(open_build(real_settings).folder)
    except IndexFault as err:
        pytest.skip(f"this test needs a built index: {err}")
    model = pooled(load_minilm()).eval()
    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", 128)

    def with_torch(texts: list[str]) -> np.ndarray:
        rows = []
        with torch.no_grad():
            for start in range(0, len(texts), 32):
                row = feeds(tokenizer, texts[start : start + 32])
                rows.append(model(*(torch.from_numpy(row[k]) for k in ("input_ids", "attention_mask", "token_type_ids"))).numpy())
        return np.concatenate(rows)

    questions = random.Random(7).sample([q for c in cards.values() for q in c.questions], 300)
    titles = [c.title for c in cards.values()]
    mine, theirs = served.encode(questions), with_torch(questions)
    cosines = (mine * theirs).sum(1)
    assert cosines.min() > 0.999
    same = (mine @ served.encode(titles).T).argmax(1) == (theirs @ with_torch(titles).T).argmax(1)
    assert same.mean() >= 0.99
