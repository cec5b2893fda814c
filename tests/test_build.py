"""`lantern build`: incremental, atomic, checked by hash. A small knowledge base keeps it quick."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot import build as building
from bot.build import FORMAT, IndexFault, build, open_build, open_collection
from bot.conversation import Conversation
from bot.load import load_assistant
from bot.retrieval import index
from bot.retrieval.card import KnowledgeError
from bot.settings import Settings

from .conftest import SMALL, Small, write_card


def quiet(*_: Any) -> None:
    """A progress bar nobody looks at."""


def manifest_of(small: Small) -> dict[str, Any]:
    return dict(json.loads((small.link / "manifest.json").read_text()))


def rewrite(small: Small, **changes: Any) -> None:
    (small.link / "manifest.json").write_text(json.dumps({**manifest_of(small), **changes}))


def cut(path: Path, keep: float = 0.5) -> None:
    """Truncate a file without touching the one it is hard-linked to."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: int(len(data) * keep)])


def test_a_first_build_embeds_every_text(small_built: Small) -> None:
    manifest = manifest_of(small_built)
    assert set(manifest["cards"]) == {row[0] for row in SMALL}
    assert {"encoder.onnx", "tokenizer.json"} <= set(manifest["files"])
    assert open_build(small_built.settings).folder == small_built.link.resolve()


def test_nothing_changed_embeds_nothing(small: Small) -> None:
    assert build(small.settings, quiet)["embedded"] == 0


def test_one_changed_card_embeds_only_its_changed_texts(small: Small) -> None:
    id, topic, title, about, _ = SMALL[0]
    write_card(small.knowledge, id, topic, title, about, "Ketamine can make the bladder small and stiff.")
    before = manifest_of(small)["cards"]
    manifest = build(small.settings, quiet)
    assert manifest["embedded"] == 1  # the passage; its title and questions are as they were
    assert {i for i, h in manifest["cards"].items() if before[i] != h} == {id}


def test_a_new_card_embeds_its_own_texts(small: Small) -> None:
    write_card(small.knowledge, "risks-liver", "risks", "Can ketamine hurt the liver?", "the liver", "Liver problems were seen after repeated use.")
    manifest = build(small.settings, quiet)
    assert 4 <= manifest["embedded"] <= 5  # title (which is the first question too), two further questions, one passage
    assert "risks-liver" in manifest["cards"]


def test_a_removed_card_is_gone(small: Small) -> None:
    next((small.knowledge / "cards").rglob("risks-memory.md")).unlink()
    assert "risks-memory" not in build(small.settings, quiet)["cards"]
    collection = open_collection(small.settings, open_build(small.settings))
    assert "risks-memory" not in {index.card_of(i) for i in collection.get(include=[])["ids"]}


def test_reused_and_fresh_vectors_agree(small: Small) -> None:
    old = open_build(small.settings)
    vectors = index.stored_vectors(index.connect(old.folder), old.manifest["collection"])
    build(small.settings, quiet)
    new = open_build(small.settings)
    again = index.stored_vectors(index.connect(new.folder), new.manifest["collection"])
    assert set(again) == set(vectors)
    assert all(float(abs(again[h] - v).max()) < 1e-6 for h, v in vectors.items())


def test_the_old_build_is_removed_after_the_switch(small: Small) -> None:
    old = small.link.resolve()
    build(small.settings, quiet)
    assert small.link.resolve() != old
    assert [p.name for p in small.settings.index_dir.glob("build-*")] == [small.link.resolve().name]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError, OSError("disk full")])
@pytest.mark.parametrize("where", ["write", "switch"])
def test_an_interrupted_build_leaves_the_old_index_serving(small: Small, monkeypatch: pytest.MonkeyPatch, fault: Any, where: str) -> None:
    """H-13: Ctrl-C at any time loses nothing."""
    old, before = small.link.resolve(), (small.link / "manifest.json").read_text()

    def stop(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(*((building.index, "write", stop) if where == "write" else (building, "_switch", stop)))
    with pytest.raises(BaseException):  # noqa: B017, PT011  # Ctrl-C is not an Exception
        build(small.settings, quiet)
    assert small.link.resolve() == old
    assert (small.link / "manifest.json").read_text() == before
    assert [p.name for p in small.settings.index_dir.glob("build-*")] == [old.name]
    monkeypatch.undo()
    assert open_build(small.settings).folder == old


def test_a_reader_never_sees_a_half_switched_link(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step of the switch the link leads to a whole build."""
    seen: list[bool] = []
    replace = Path.replace

    def watched(self: Path, target: Any) -> Path:
        seen.append((small.link / "manifest.json").exists())
        done = replace(self, target)
        seen.append((small.link / "manifest.json").exists())
        return done

    monkeypatch.setattr(Path, "replace", watched)
    build(small.settings, quiet)
    assert seen == [True, True]


def test_a_malformed_card_stops_the_build_with_the_old_index_intact(small: Small) -> None:
    old = small.link.resolve()
    (small.knowledge / "cards" / "risks" / "risks-memory.md").write_text("---\nid: risks-memory\n---\nNo citation here.\n")
    with pytest.raises(KnowledgeError, match=r"risks-memory\.md"):
        build(small.settings, quiet)
    assert small.link.resolve() == old
    open_build(small.settings)


def test_a_missing_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(IndexFault, match=r"There is no index in .*Run:  lantern build"):
        open_build(Settings(index_dir=tmp_path))


@pytest.mark.parametrize("name", ["encoder.onnx", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["truncated", "gone", "changed"])
def test_every_file_is_checked_by_its_hash(small: Small, name: str, damage: str) -> None:
    path = small.link.resolve() / name
    if damage == "gone":
        path.unlink()
    elif damage == "truncated":
        cut(path)
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        path.write_bytes(data)
    with pytest.raises(IndexFault, match=f"{name} is missing or damaged. Run:  lantern build --fresh"):
        open_build(small.settings)


def test_another_format_says_so(small: Small) -> None:
    rewrite(small, format=FORMAT - 1)
    with pytest.raises(IndexFault, match=f"format {FORMAT - 1}, this version reads {FORMAT}. Run:  lantern build"):
        open_build(small.settings)


def test_another_model_says_so(small: Small) -> None:
    rewrite(small, base_model="0" * 64)
    with pytest.raises(IndexFault, match="built with another model"):
        open_build(small.settings)


@pytest.mark.parametrize("text", ["", "{", "not json"])
def test_an_unreadable_manifest_says_so(small: Small, text: str) -> None:
    (small.link / "manifest.json").write_text(text)
    with pytest.raises(IndexFault, match="no readable manifest"):
        open_build(small.settings)


def test_damaged_vectors_say_so_and_a_build_mends_them(small: Small) -> None:
    cut(small.link.resolve() / "chroma" / "chroma.sqlite3", 0.2)
    with pytest.raises(IndexFault, match="cannot be read"):
        load_assistant(small.settings)
    rows = build(small.settings, quiet)["embedded"]
    assert rows > 0
    load_assistant(small.settings)


def test_missing_vectors_say_so(small: Small) -> None:
    shutil.rmtree(small.link.resolve() / "chroma")
    with pytest.raises(IndexFault, match="chroma is missing"):
        open_build(small.settings)


def test_vectors_of_other_weights_are_not_reused(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    old = open_build(small.settings)
    monkeypatch.setattr(building, "weights", lambda: {"encoder": "other", "router": ""})
    assert building._vectors(small.settings, old) == {}


def test_a_card_edited_after_the_build_is_left_out(small: Small, caplog: pytest.LogCaptureFixture) -> None:
    """What is served is what was indexed and checked (R-85)."""
    id, topic, title, about, _ = SMALL[0]
    write_card(small.knowledge, id, topic, title, about, "Something that nobody has indexed.")
    caplog.set_level("WARNING", "lantern")
    made = load_assistant(small.settings)
    assert id not in made.knowledge.cards
    assert "1 cards changed since the index was built" in caplog.text
    reply = made.reply(Conversation.of(title))
    assert "nobody has indexed" not in reply.text
