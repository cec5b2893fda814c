"""The encoder served by ONNX Runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bot.build import IndexFault, open_build
from bot.encoder import Encoder
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


def test_a_vector_does_not_hang_on_what_else_is_encoded(encoder: Encoder) -> None:
    """One visitor's question must not be read differently because of another's."""
    alone = np.stack([encoder.encode([t])[0] for t in TEXTS])
    np.testing.assert_array_equal(encoder.encode(TEXTS), alone)


def test_close_questions_are_closer_than_far_ones(encoder: Encoder) -> None:
    a, b, c = encoder.encode(["Can ketamine harm the bladder?", "is ketamine bad for your bladder", "What does treatment cost?"])
    assert a @ b > a @ c + 0.2


def test_one_text_from_many_threads(encoder: Encoder) -> None:
    expected = encoder.encode(TEXTS)
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(encoder.encode_one, TEXTS * 8))
    for i, vector in enumerate(got):
        np.testing.assert_array_equal(vector, expected[i % len(TEXTS)])


@pytest.mark.slow
def test_the_served_encoder_agrees_with_torch(real_settings: Settings, cards: dict[str, Card]) -> None:
    """The int8 export finds the card of as many sample questions as PyTorch does, each question taken out of the index in its turn."""
    torch = pytest.importorskip("torch")
    from bot.encoder import open_tokenizer
    from bot.training import retriever
    from bot.training.export import minilm_folder, pooled, tensors

    try:
        served = Encoder(open_build(real_settings).folder)
    except IndexFault as err:
        pytest.skip(f"this test needs a built index: {err}")
    model = pooled(retriever.load()).eval()
    tokenizer = open_tokenizer(minilm_folder() / "tokenizer.json", 128)

    def with_torch(texts: list[str]) -> np.ndarray:
        with torch.no_grad():
            return np.concatenate([model(**tensors(tokenizer, [text])).numpy() for text in texts])

    asked = [(q, c.id) for c in cards.values() for q in (c.title, *c.questions[:3])]
    of = np.array([card for _, card in asked])
    mine, theirs = served.encode([q for q, _ in asked]), with_torch([q for q, _ in asked])
    cosines = (mine * theirs).sum(1)

    def closest(vectors: np.ndarray) -> np.ndarray:
        """The card whose other texts are nearest: the mean of the two best, as the retriever takes it."""
        near = vectors @ vectors.T
        np.fill_diagonal(near, -1)
        return np.array(sorted(cards))[np.stack([np.sort(near[:, of == card], axis=1)[:, -2:].mean(1) for card in sorted(cards)]).argmax(0)]

    with_itself = (mine @ mine.T).argmax(1) == (theirs @ theirs.T).argmax(1)
    same = closest(mine) == closest(theirs)
    right = [float((closest(v) == of).mean()) for v in (mine, theirs)]
    print(f"cosines: mean {cosines.mean():.4f}, least {cosines.min():.4f}; same card for {with_itself.mean():.4f}, left out {same.mean():.4f}; own card {right}")
    assert cosines.min() > 0.97
    assert with_itself.mean() >= 0.99
    assert right[0] >= right[1] - 0.01
