"""Serving must not import torch or transformers: memory, start-up time, and nothing to load weights from the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from bot.settings import ROOT

from .conftest import Small

SCRIPT = """
import json, sys
from bot.conversation import Conversation
from bot.load import load_assistant
from bot.settings import Settings
made = load_assistant(Settings())
replies = [made.reply(Conversation.of(t)).action.value for t in ("Can ketamine harm the bladder?", "I want to kill myself", "hello")]
print(json.dumps({"replies": replies, "failures": made.failures, "modules": sorted({m.split(".")[0] for m in sys.modules})}))
"""


def test_serving_never_imports_torch(small_built: Small) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **small_built.env}, timeout=300)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["failures"] == 0
    assert seen["replies"][1] == "crisis"
    for name in ("torch", "transformers", "sentence_transformers", "safetensors", "gradio"):
        assert name not in seen["modules"], f"{name} was imported while serving"
