"""`lantern build`: everything that is computed before serving, written beside a manifest of hashes.

A build goes into a folder of its own and a link is then switched to it in one step, so an interrupted
build leaves the old one serving.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.encoder import Encoder, Floats
from bot.guardrails.router import WEIGHTS
from bot.retrieval import index, lexical, querybank, shelf
from bot.retrieval.card import Card, load_cards, load_queries
from bot.settings import Settings
from bot.training.export import MINILM_SHA256, sha256

log = logging.getLogger("lantern")

FORMAT = 8
MODEL_FILES = ("encoder.onnx", "tokenizer.json", "router.onnx")
FILES = (*MODEL_FILES, querybank.FILE, shelf.FILE, *lexical.FILES)


class IndexFault(RuntimeError):
    """The built index is missing, damaged or was made by another version; the message says what mends it."""


@dataclass(frozen=True)
class Built:
    """A build on disk, checked against its manifest."""

    folder: Path
    manifest: dict[str, Any]


def current(settings: Settings) -> Path:
    """The link that serving follows."""
    return settings.index_dir / "current"


def open_build(settings: Settings) -> Built:
    """Open what `lantern build` wrote.

    Raises:
        IndexFault: when it is missing, truncated, of another format or another model.
    """
    folder = current(settings)
    mend = "Run:  lantern build"
    if not folder.exists():
        raise IndexFault(f"There is no index in {settings.index_dir}. {mend}")
    folder = folder.resolve()
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as err:
        raise IndexFault(f"The index in {folder} has no readable manifest. {mend}") from err
    if manifest.get("format") != FORMAT:
        raise IndexFault(f"The index has format {manifest.get('format')}, this version reads {FORMAT}. {mend}")
    if manifest.get("base_model") != MINILM_SHA256:
        raise IndexFault(f"The index was built with another model. {mend}")
    for name, digest in manifest["files"].items():
        if not (folder / name).exists() or sha256(folder / name) != digest:
            raise IndexFault(f"{folder / name} is missing or damaged. Run:  lantern build --fresh")
    if not (folder / "chroma").is_dir() and not settings.chroma_url:
        raise IndexFault(f"{folder / 'chroma'} is missing. {mend}")
    return Built(folder, manifest)


def weights() -> dict[str, str]:
    """SHA-256 of the committed weights that each exported model depends on besides the base model; empty when there are none."""
    paths = {"encoder": WEIGHTS / "retriever.safetensors", "router": WEIGHTS / "router.safetensors"}
    return {model: sha256(path) if path.exists() else "" for model, path in paths.items()}


def build(settings: Settings, progress: Callable[[str, int, int], None], fresh: bool = False) -> dict[str, Any]:
    """Build the index and the ONNX models, reusing whatever has not changed.

    Returns:
        The new manifest.

    Raises:
        KnowledgeError: for a malformed card; the old index is untouched.
        ModelError: for a missing or wrong base model.
    """
    settings.index_dir.mkdir(parents=True, exist_ok=True)
    old: Built | None = None
    if not fresh:
        try:
            old = open_build(settings)
        except IndexFault:
            old = None
    cards = load_cards(settings.knowledge_dir / "cards", shelf.load(old.folder) if old else {})
    folder = settings.index_dir / f"build-{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    try:
        manifest = _fill(settings, folder, cards, old, progress)
        _switch(current(settings), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for other in settings.index_dir.glob("build-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return manifest


def _fill(
    settings: Settings, folder: Path, cards: dict[str, Card], old: Built | None, progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    _models(folder, old, progress)
    encoder = Encoder(folder)
    known: dict[str, Floats] = {}
    if old is not None:
        known = _vectors(settings, old)
    client = index.connect(folder, settings.chroma_url)
    vetted = list(index.entries(cards.values()))
    queries = load_queries(settings.knowledge_dir / "queries")
    asked = list(index.query_entries(cards.values(), queries))
    vectors, embedded = index.embed([*vetted, *asked], encoder.encode, known, lambda a, b: progress("Embedding cards and queries", a, b))
    index.write(client, vetted, vectors, folder.name)
    querybank.write(folder, asked, vectors)
    lexical.write(folder, cards.values(), queries)
    shelf.write(folder, cards.values())
    manifest = {
        "format": FORMAT,
        "base_model": MINILM_SHA256,
        "weights": weights(),
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "collection": folder.name,
        "embedded": embedded,
        "cards": {c.id: c.content_hash for c in cards.values()},
        "files": {name: sha256(folder / name) for name in FILES if (folder / name).exists()},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


def _vectors(settings: Settings, old: Built) -> dict[str, Floats]:
    """The old index's vectors, when they are of this encoder and can be read."""
    if old.manifest["weights"]["encoder"] != weights()["encoder"]:
        return {}
    try:
        cards = index.stored_vectors(index.connect(old.folder, settings.chroma_url), old.manifest["collection"])
        return {**querybank.stored_vectors(old.folder), **cards}
    except Exception as err:
        log.warning("the old index cannot be read, so every card is embedded again: %s", err)
        return {}


def open_collection(settings: Settings, built: Built) -> Any:
    """The vectors of a build, after one has been read.

    Raises:
        IndexFault: when they cannot.
    """
    try:
        collection = index.connect(built.folder, settings.chroma_url).get_collection(built.manifest["collection"], embedding_function=None)
        collection.get(limit=1, include=["embeddings"])
    except Exception as err:
        where = settings.chroma_url or built.folder / "chroma"
        raise IndexFault(f"The vectors in {where} cannot be read ({str(err)[:80]}). Run:  lantern build --fresh") from err
    return collection


def _models(folder: Path, old: Built | None, progress: Callable[[str, int, int], None]) -> None:
    now, before = weights(), old.manifest["weights"] if old is not None else {}
    stale = {model for model in now if now[model] != before.get(model)}
    for name in MODEL_FILES:
        if old is not None and name.split(".")[0] not in stale and (old.folder / name).exists():
            os.link(old.folder / name, folder / name)
    if not stale:
        return
    # torch is imported only here: a build that changes cards alone does not wait for it
    from bot.training import export, retriever, router

    progress("Exporting the models", 0, 2)
    if "encoder" in stale:
        export.to_int8(export.pooled(retriever.load()), folder / "encoder.onnx", "vectors")
    if not (folder / "tokenizer.json").exists():
        shutil.copy(export.minilm_folder() / "tokenizer.json", folder / "tokenizer.json")
    progress("Exporting the models", 1, 2)
    if "router" in stale and now["router"]:
        router.export(folder)
    progress("Exporting the models", 2, 2)


def _switch(link: Path, target: Path) -> None:
    temporary = link.with_name(f".{link.name}-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.name)
    temporary.replace(link)
