"""Texts to unit vectors with ONNX Runtime; never imports torch.

One intra-op thread on purpose: with more, a busy neighbour on the same core makes a turn wait for the
slowest thread. Concurrency comes from batching the callers that wait at the same moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

WIDTH = 384
Floats = npt.NDArray[np.float32]
T = TypeVar("T")
R = TypeVar("R")


class _Slot(Generic[T, R]):
    __slots__ = ("done", "error", "item", "result")

    def __init__(self, item: T) -> None:
        self.item = item
        self.result: R
        self.error: Exception | None = None
        self.done = False


class Batcher(Generic[T, R]):
    """Runs `function` on whatever concurrent callers are waiting, in one batch.

    The first caller to find the worker free drains the queue for everybody ("flat combining"), so a lone
    caller pays for two uncontended locks and no thread hand-off.
    """

    def __init__(self, function: Callable[[list[T]], Sequence[R]], limit: int = 32) -> None:
        self._function, self._limit = function, limit
        self._queue: list[_Slot[T, R]] = []
        self._mutex, self._worker = threading.Lock(), threading.Lock()

    def __call__(self, item: T) -> R:
        """The result for `item`. Raises whatever `function` raises for it alone."""
        slot: _Slot[T, R] = _Slot(item)
        with self._mutex:
            self._queue.append(slot)
        while not slot.done:
            with self._worker:
                if not slot.done:
                    self._drain()
        if slot.error is not None:
            raise slot.error
        return slot.result

    def _drain(self) -> None:
        with self._mutex:
            batch, self._queue = self._queue[: self._limit], self._queue[self._limit :]
        try:
            self._fill(batch)
        except Exception:
            for slot in batch:  # one caller's bad item must not fail the others
                try:
                    self._fill([slot])
                except Exception as err:
                    slot.error = err
        except BaseException as err:
            for slot in batch:
                slot.error = RuntimeError(f"the batch was stopped: {err!r}")
            raise
        finally:
            for slot in batch:
                slot.done = True

    def _fill(self, batch: list[_Slot[T, R]]) -> None:
        for slot, result in zip(batch, self._function([s.item for s in batch]), strict=True):
            slot.result = result


def open_session(path: Path) -> ort.InferenceSession:
    """An ONNX Runtime session with one thread and a small arena."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def open_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """The tokenizer saved at build time, padding each batch to its longest text."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(max_length=max_tokens)
    tokenizer.enable_padding()
    return tokenizer


def feeds(tokenizer: Tokenizer, texts: Sequence[str] | Sequence[tuple[str, str]]) -> dict[str, npt.NDArray[np.int64]]:
    """The model's three inputs, each int64 (n, longest), for texts or pairs of texts."""
    rows = tokenizer.encode_batch(list(texts))
    return {
        "input_ids": np.array([r.ids for r in rows], dtype=np.int64),
        "attention_mask": np.array([r.attention_mask for r in rows], dtype=np.int64),
        "token_type_ids": np.array([r.type_ids for r in rows], dtype=np.int64),
    }


class Encoder:
    """The sentence encoder that `lantern build` exported.

    Args:
        folder: holds encoder.onnx and tokenizer.json.
        max_tokens: texts are cut after this many word pieces.
    """

    def __init__(self, folder: Path, max_tokens: int = 128) -> None:
        self._session = open_session(folder / "encoder.onnx")
        self._tokenizer = open_tokenizer(folder / "tokenizer.json", max_tokens)
        self._batched: Batcher[str, Floats] = Batcher(lambda texts: list(self.encode(texts)))

    def encode(self, texts: Sequence[str], batch: int = 32) -> Floats:
        """Encode many texts: float32 (n, 384), each row a unit vector."""
        if not texts:
            return np.zeros((0, WIDTH), dtype=np.float32)
        order = np.argsort([len(t) for t in texts])
        out = np.empty((len(texts), WIDTH), dtype=np.float32)
        for start in range(0, len(texts), batch):
            picked = order[start : start + batch]
            (vectors,) = self._session.run(None, feeds(self._tokenizer, [texts[i] for i in picked]))
            out[picked] = vectors
        return out

    def encode_one(self, text: str) -> Floats:
        """Encode one text, float32 (384,), sharing a batch with concurrent callers."""
        return self._batched(text)
