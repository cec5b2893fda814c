"""Where a run keeps what is done, so that an interrupted one can be resumed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from bot.build import open_build
from bot.settings import ROOT, Settings
from evals.plan import Job


def fingerprint(settings: Settings) -> str:
    """What the replies depend on: the product's code, rules, prompts, knowledge and models. Another product, another store."""
    digest = hashlib.sha256()
    folders = [ROOT / "bot", settings.prompts_dir / "replies", settings.knowledge_dir]
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in {".py", ".yaml", ".md", ".json", ".txt"} and "__pycache__" not in p.parts):
            digest.update(path.name.encode() + path.read_bytes())
    digest.update(json.dumps(open_build(settings).manifest["files"], sort_keys=True).encode())
    return digest.hexdigest()


class Store:
    """Outcomes by job, appended to a file as they come in."""

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "outcomes.jsonl"
        if fresh:
            self._path.unlink(missing_ok=True)
        self._known: dict[str, Any] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue  # the line that an interruption cut off
                self._known[row["key"]] = row["outcomes"]
        self.resumed = len(self._known)
        self._file = self._path.open("a", encoding="utf-8")

    @staticmethod
    def key(job: Job) -> str:
        """What names a job's request; changed data give another key."""
        return hashlib.sha256(json.dumps([job.key, job.request()], sort_keys=True).encode()).hexdigest()[:24]

    def get(self, job: Job) -> Any:
        """The outcomes of a job done before, or None."""
        return self._known.get(self.key(job))

    def put(self, job: Job, outcomes: Any) -> None:
        """Keep a job's outcomes."""
        self._file.write(json.dumps({"key": self.key(job), "outcomes": outcomes}, ensure_ascii=False) + "\n")
        self._file.flush()

    def finish(self) -> None:
        """The run is whole: nothing is left to resume."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Keep what is done for the next run."""
        self._file.close()
