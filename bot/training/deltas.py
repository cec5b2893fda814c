"""Fine-tuned weights as small files: the difference from the pinned base model, eight bits a number.

A matrix is stored as int8 rows with one float32 scale a row; vectors are stored whole in float16. Frozen
word embeddings and unused parts are left out. The rounding error is below a hundredth of the change itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

LEFT_OUT = ("word_embeddings", "position_ids", "pooler")


def save(model: Any, base: Any, path: Path) -> None:
    """Write `model`'s difference from `base`, two torch modules of one class; a fresh head is stored whole."""
    import torch
    from safetensors.torch import save_file

    start = base.state_dict()
    out: dict[str, Any] = {}
    for name, value in model.state_dict().items():
        if any(part in name for part in LEFT_OUT):
            continue
        value = value.detach().cpu().float()
        if value.ndim == 2 and not name.startswith("head."):
            delta = value - start[name].detach().cpu().float()
            scale = delta.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
            out[name + ":q"] = torch.round(delta / scale).to(torch.int8).contiguous()
            out[name + ":s"] = scale.contiguous()
        else:
            out[name] = value.to(torch.float16).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(out, str(path))


def load(model: Any, path: Path) -> Any:
    """Apply stored differences to `model`, which must hold the base weights. Returns the model.

    Raises:
        RuntimeError: when the file does not fit the model.
    """
    from safetensors.torch import load_file

    stored = load_file(str(path))
    state = model.state_dict()
    for name, value in stored.items():
        key = name.removesuffix(":q")
        if name.endswith(":s"):
            continue
        if key not in state:
            raise RuntimeError(f"{path}: '{key}' is not part of the model. Train again with: lantern train")
        if name.endswith(":q"):
            state[key] = state[key] + value.float() * stored[key + ":s"]
        else:
            state[key] = value.float()
    model.load_state_dict(state)
    return model
