"""What the router is trained on, in which pass, and what is held out. The training itself takes hours and is measured in docs/model-card.md."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.conversation import Category
from bot.training import router
from bot.training.examples import LATER, Example, augment, talk


def write(folder: Path, author: str, blocks: int) -> None:
    folder.mkdir(exist_ok=True)
    for category in (Category.RISKS, Category.DOSING):
        with (folder / f"{category.value}.jsonl").open("a") as file:
            for block in range(blocks):
                file.writelines(json.dumps({"turns": [f"{author} {category.value} {block} {i}"], "brief": f"{author}.{block} someone"}) + "\n" for i in range(4))


class Passes:
    """Stands in for the training and notes what each pass was given."""

    def __init__(self) -> None:
        self.given: list[tuple[list[Example], int, Any]] = []
        self.held: list[Example] = []
        self.averaged: list[tuple[str, str]] = []
        self.ngrams = 0

    def train(self, examples: Sequence[Example], epochs: int, seed: int, progress: Any, start: Any = None) -> str:
        self.given.append((list(examples), epochs, start))
        return f"pass {len(self.given)}"

    def calibrate(self, model: Any, second: Any, held: Sequence[Example], seed: int) -> dict[str, Any]:
        self.held = list(held)
        return {}

    def train_ngrams(self, pairs: Sequence[Any], *rest: Any) -> None:
        self.ngrams = len(pairs)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    noted = Passes()
    monkeypatch.setattr(router, "train", noted.train)
    monkeypatch.setattr(router, "copied", lambda model: model)
    monkeypatch.setattr(router, "averaged", lambda before, model: (noted.averaged.append((before, model)), model)[1])
    monkeypatch.setattr(router, "calibrate", noted.calibrate)
    monkeypatch.setattr(router, "save_weights", lambda *_: None)
    monkeypatch.setattr(router, "load", lambda _folder: "committed")
    monkeypatch.setattr(router.ngrams, "train", noted.train_ngrams)
    monkeypatch.setattr(router, "NgramClassifier", lambda _path: None)
    return noted


def test_each_later_wave_comes_twice_beside_half_of_what_came_before(passes: Passes, tmp_path: Path) -> None:
    write(tmp_path / "intents", "a1", 40)
    write(tmp_path / "intents", "w1", 40)
    write(tmp_path / "intents", "x1", 40)
    router.run(tmp_path / "intents", 3, 7, lambda *_: None, tmp_path)
    assert [(epochs, start) for _, epochs, start in passes.given] == [(3, None), (1, "pass 1"), (1, "pass 2")]
    assert passes.averaged == [("pass 1", "pass 2"), ("pass 2", "pass 3")]
    before: set[Example] = set()
    for newest, (given, _, _) in enumerate(passes.given):
        counts = Counter(given)
        assert {n for e, n in counts.items() if e.wave == newest} == {2 if newest else 1}
        assert {n for e, n in counts.items() if e.wave < newest} <= {1}
        assert len(before & set(counts)) == round(router.REPEATED * len(before))
        before = {e for given, _, _ in passes.given[: newest + 1] for e in given}
    assert passes.ngrams == len(before)


def test_held_out_examples_are_in_no_pass(passes: Passes, tmp_path: Path) -> None:
    write(tmp_path / "intents", "a1", 40)
    write(tmp_path / "intents", "w1", 40)
    router.run(tmp_path / "intents", 3, 7, lambda *_: None, tmp_path)
    assert {e.wave for e in passes.held} == {0, 1}
    assert not set(passes.held) & {e for given, _, _ in passes.given for e in given}


def test_a_later_wave_leaves_what_was_held_out_before(passes: Passes, tmp_path: Path) -> None:
    """Otherwise weights that saw an example would be measured on it."""
    write(tmp_path / "intents", "a1", 40)
    router.run(tmp_path / "intents", 3, 7, lambda *_: None, tmp_path)
    before = set(passes.held)
    write(tmp_path / "intents", "w1", 40)
    router.run(tmp_path / "intents", 3, 7, lambda *_: None, tmp_path, further=True)
    assert {e for e in passes.held if not e.wave} == before


def test_going_further_starts_from_the_committed_weights(passes: Passes, tmp_path: Path) -> None:
    write(tmp_path / "intents", "a1", 10)
    for later in LATER:
        write(tmp_path / "intents", f"{later}1", 10)
    router.run(tmp_path / "intents", 3, 7, lambda *_: None, tmp_path, further=True)
    assert [start for _, _, start in passes.given] == ["committed"]
    assert {e.wave for e in passes.given[0][0]} == set(range(1 + len(LATER)))


def test_augmenting_may_bring_a_talk_before_but_only_to_what_speaks_for_itself() -> None:
    before = [Example(("is it legal in kenya",), Category.REGULATION, "a1.1"), Example(("where would one get a cheap one",), Category.SOURCING, "a1.2")]
    rng = random.Random(5)

    def lengths(text: str, category: Category) -> set[int]:
        return {len(augment(Example((text,), category, "a1.3"), before, before, rng).turns) for _ in range(300)}

    assert lengths("nobody would miss me now", Category.SELF_HARM) == {1, 2, 3}
    assert lengths("ok thanks a lot then", Category.SMALLTALK) == {1}
    assert lengths("and roughly", Category.DOSING) == {1}
    assert [e.category for e in talk([*before, Example(("i want to die",), Category.SELF_HARM, "a1.4")])] == [Category.REGULATION, Category.SOURCING]


def test_a_later_pass_is_averaged_with_what_stood_before() -> None:
    import torch

    model = torch.nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(1.0)
        before = router.copied(model)
        model.weight.fill_(2.0)
    assert float(before["weight"]) == 1.0
    assert float(router.averaged(before, model).weight.detach()) == pytest.approx(1 + router.AFTER)
