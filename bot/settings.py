"""Every setting of Lantern, in one place. Each is read from the environment as LANTERN_<NAME>."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Settings with working defaults; docs/deploy.md explains when to change one.

    Raises:
        pydantic.ValidationError: for a value of the wrong type, naming the setting.
    """

    model_config = SettingsConfigDict(env_prefix="LANTERN_", extra="ignore")

    knowledge_dir: Path = Field(ROOT / "knowledge", description="cards, sources.yaml, helplines.yaml")
    prompts_dir: Path = Field(ROOT / "prompts", description="replies and intents")
    index_dir: Path = Field(ROOT / ".lantern", description="where `lantern build` writes")
    chroma_url: str | None = Field(None, description="http://host:port of a Chroma server; default: embedded")
    country: str | None = Field(None, description="ISO code assumed until the visitor chooses one")
    today: date | None = Field(None, description="the day to judge expiry by; default: the real one")
    require_signoff: bool = Field(False, description="serve only cards signed by a clinician")
    host: str = "127.0.0.1"
    port: int = 7860
    root_path: str = Field("", description="sub-path behind a reverse proxy, such as /lantern")
    frame_ancestors: str = Field("'self'", description="CSP frame-ancestors: the sites that may embed the widget")
    max_chars: int = Field(20_000, description="longest message read, in characters; the rest is ignored")

    @property
    def day(self) -> date:
        """The day by which expiry is judged."""
        return self.today or date.today()
