"""The fixed texts of prompts/replies: several wordings for each, filled with the visitor's help lines."""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.helplines import Helplines, Purpose


class Replies:
    """Fixed replies by name.

    Args:
        folder: holds <name>.md (wordings separated by a line of three dashes) and languages.yaml.

    Raises:
        FileNotFoundError: when the folder holds no reply.
    """

    def __init__(self, folder: Path, helplines: Helplines) -> None:
        self._texts = {
            path.stem: tuple(part.strip() for part in path.read_text(encoding="utf-8").split("\n---\n"))
            for path in sorted(folder.glob("*.md"))
        }
        if not self._texts:
            raise FileNotFoundError(f"{folder}: no replies found. Check LANTERN_PROMPTS_DIR.")
        languages = folder / "languages.yaml"
        self._languages: dict[str, dict[str, str]] = (
            yaml.load(languages.read_text(encoding="utf-8"), yaml.CSafeLoader) if languages.exists() else {}
        )
        offers = folder.parent / "offers.yaml"
        self._offers: dict[str, list[str]] = yaml.safe_load(offers.read_text(encoding="utf-8")) if offers.exists() else {}
        self.helplines = helplines

    def offers(self, category: str) -> list[str]:
        """Ids of the cards offered after a fixed reply of this category."""
        return self._offers.get(category, [])

    @property
    def names(self) -> tuple[str, ...]:
        """All reply names."""
        return tuple(self._texts)

    def wordings(self, name: str) -> tuple[str, ...]:
        """Every wording of a reply, placeholders unfilled."""
        return self._texts[name]

    def text(self, name: str, turn: int = 0, country: str | None = None, purpose: Purpose = "crisis", url: str = "", title: str = "") -> str:
        """One wording, rotating with `turn` so that consecutive turns differ (R-19)."""
        wordings = self._texts[name]
        return self._fill(wordings[turn % len(wordings)], country, purpose, url).replace("{title}", title)

    def translated(self, language: str, name: str, country: str | None = None, purpose: Purpose = "crisis") -> str | None:
        """A reply in another language, or None when there is none."""
        text = self._languages.get(language, {}).get(name)
        return self._fill(text.strip(), country, purpose, "", english=False) if text else None

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages with replies of their own."""
        return tuple(self._languages)

    def _fill(self, text: str, country: str | None, purpose: Purpose, url: str, english: bool = True) -> str:
        return (
            text.replace("{lines}", self.helplines.lines(country, purpose))
            .replace("{line}", self.helplines.short(country))
            .replace("{emergency}", self.helplines.emergency(country, english))
            .replace("{url}", url)
        )
