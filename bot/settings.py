"""Every setting of Lantern, in one place. Each is read from the environment as LANTERN_<NAME>."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator
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
    model: str = Field("", description='a chat model that words answers, "openai:…", "anthropic:…", "ollama:…" (docs/models.md); default: none')
    model_url: str | None = Field(None, description="base URL of an OpenAI-compatible or Ollama server; default: the provider's own")
    model_key: SecretStr | None = Field(None, description="its API key; default: the provider's own variable, such as OPENAI_API_KEY")
    model_options: dict[str, Any] = Field(default_factory=dict, description="further options of the LangChain model, as JSON")
    model_tokens: int = Field(900, ge=100, description="most tokens of one answer")
    model_first: float = Field(8.0, gt=0, description="seconds to the first verified sentence; then the extractive answer is given")
    model_whole: float = Field(25.0, gt=0, description="seconds to the end of the answer")
    model_at_once: int = Field(32, ge=1, description="calls at once; further visitors get the extractive answer")
    model_daily_limit: float = Field(0.0, ge=0, description="most to spend a day, in the currency of the prices; 0 is no limit")
    model_price_in: float = Field(0.0, ge=0, description="price of a million tokens read")
    model_price_out: float = Field(0.0, ge=0, description="price of a million tokens written")
    model_cache: int = Field(2_000, ge=0, description="verified answers kept; 0 keeps none")
    model_file: Path | None = Field(None, description="SQLite file for verified answers and the day's spending; default: in memory")
    model_rewrite: bool = Field(False, description="let the model write a follow-up as a question that stands alone, for the search")
    guard_model: str = Field("", description="a chat model for a second opinion of the screen; default: none")

    @model_validator(mode="after")
    def _priced(self) -> Settings:
        if self.model_daily_limit and not (self.model_price_in or self.model_price_out):
            raise ValueError("LANTERN_MODEL_DAILY_LIMIT needs LANTERN_MODEL_PRICE_IN and LANTERN_MODEL_PRICE_OUT")
        return self

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
