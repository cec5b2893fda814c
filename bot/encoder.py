"""Texts to unit vectors with ONNX Runtime; never imports torch.

One intra-op thread on purpose: with more, a busy neighbour on the same core makes a turn wait for the
slowest thread. Callers run side by side, one text each: in a batch the int8 model scales its activations by
what else is in the batch, so that a visitor's verdict would hang on who else is asking. A batch was no faster either
(32 callers on two cores: 375 texts a second side by side, 195 in batches).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

WIDTH = 384
Floats = npt.NDArray[np.float32]


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


def feeds(tokenizer: Tokenizer, texts: Sequence[str | tuple[str, str]]) -> dict[str, npt.NDArray[np.int64]]:
    """The model's three inputs, each int64 (n, longest), for texts or pairs of texts."""
    rows = tokenizer.encode_batch(list(texts))
    return {
        "input_ids": np.array([r.ids for r in rows], dtype=np.int64),
        "attention_mask": np.array([r.attention_mask for r in rows], dtype=np.int64),
        "token_type_ids": np.array([r.type_ids for r in rows], dtype=np.int64),
    }


def run(session: ort.InferenceSession, tokenizer: Tokenizer, texts: Sequence[str | tuple[str, str]]) -> Floats:
    """The model's output for each text or pair, float32 (n, outputs)."""
    rows: Floats = np.concatenate([session.run(None, feeds(tokenizer, [text]))[0] for text in texts])
    return rows


class Encoder:
    """The sentence encoder that `lantern build` exported.

    Args:
        folder: holds encoder.onnx and tokenizer.json.
        max_tokens: texts are cut after this many word pieces.
    """

    def __init__(self, folder: Path, max_tokens: int = 128) -> None:
        self._session = open_session(folder / "encoder.onnx")
        self._tokenizer = open_tokenizer(folder / "tokenizer.json", max_tokens)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Encode texts side by side: float32 (n, 384), each row a unit vector."""
        if not texts:
            return np.zeros((0, WIDTH), dtype=np.float32)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(self.encode_one, texts)))

    def encode_one(self, text: str) -> Floats:
        """Encode one text, float32 (384,)."""
        vector: Floats = run(self._session, self._tokenizer, [text])[0]
        return vector
