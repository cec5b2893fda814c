"""BM25 over the cards, kept with the build."""

from __future__ import annotations

from bot.build import open_build
from bot.retrieval.lexical import LexicalIndex, terms

from ..conftest import Small


def test_words_are_stemmed_and_stop_words_left_out() -> None:
    assert terms("What ARE the Side-Effects of infusions?") == ["side", "effect", "infusion"]
    assert terms("the of and") == []


def test_scores_follow_the_cards_served(small_built: Small) -> None:
    folder = open_build(small_built.settings).folder
    served = ["evidence-ocd", "a-card-not-indexed", "risks-bladder"]
    scores = LexicalIndex.load(folder, served)("harm to the bladder")
    assert scores.shape == (3,)
    assert scores.argmax() == 2
    assert scores[1] == 0


def test_words_that_no_card_has_score_nothing(small_built: Small) -> None:
    assert not LexicalIndex.load(open_build(small_built.settings).folder, ["risks-bladder"])("zyzzyva qwerty").any()
