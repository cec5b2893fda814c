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
    trusted_proxies: str = Field("127.0.0.1", description="addresses whose X-Forwarded-* headers are believed")
    site_name: str = Field("", max_length=60, description="the site that offers the widget, shown beside the name")
    brand_color: str = Field("#1d5f5b", pattern=r"^#[0-9a-fA-F]{6}$", description="buttons and links; text on it turns dark or light by itself")
    contact: str = Field("", max_length=200, description="https:, mailto: or tel: address of the site's owner, for reports and privacy requests")
    exit_url: str = Field("https://www.wikipedia.org/", pattern=r"^https?://", description="where quick exit goes: a page that says nothing about the visitor")
    off: bool = Field(False, description="kill switch: only help lines and static answers stay up (or: lantern off)")
    rate_limit: int = Field(30, ge=0, description="messages a visitor may send in a minute; 0 is no limit; a crisis is always answered")
    max_body: int = Field(262_144, ge=1024, description="largest request body, in bytes")
    crisis_counts: Path | None = Field(None, description="SQLite file for yearly counts of crisis replies; default: not counted")
    max_chars: int = Field(20_000, description="longest message read, in characters; the rest is ignored")

    @property
    def off_file(self) -> Path:
        """While this file exists the widget is switched off."""
        return self.index_dir / "off"

    @property
    def switched_off(self) -> bool:
        """Whether the widget is off now; cheap enough to ask at every request."""
        return self.off or self.off_file.exists()

    @property
    def day(self) -> date:
        """The day by which expiry is judged."""
        return self.today or date.today()
