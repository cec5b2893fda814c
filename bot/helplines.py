"""Crisis lines by country, from knowledge/helplines.yaml, and how they are shown."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Purpose = Literal["crisis", "poison", "veterans", "maternal", "youth", "substance", "general", "violence"]


class Line(BaseModel):
    """One service. At least one way to reach it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    name: str
    purpose: Purpose = Field(alias="for")
    call: str | None = None
    text: str | None = None
    chat: str | None = None
    whatsapp: str | None = None
    hours: str
    free: bool
    languages: tuple[str, ...] = ()
    pair: str | None = None
    note: str | None = None
    source: str
    checked: date

    @model_validator(mode="after")
    def _reachable(self) -> Line:
        if not (self.call or self.text or self.chat or self.whatsapp):
            raise ValueError(f"helplines.yaml: {self.id}: give one of call, text, chat or whatsapp")
        return self

    def markdown(self) -> str:
        """One bullet: name, how to reach it, when."""
        ways = []
        if self.call:
            ways.append(f"call **{self.call}**")
        if self.text:
            ways.append(f"text **{self.text}**")
        if self.whatsapp:
            ways.append(f"WhatsApp **{self.whatsapp}**")
        if self.chat:
            ways.append(f"[chat online]({self.chat})")
        when = "24/7" if self.hours.startswith("24/7") else self.hours
        return f"- {self.name}: {' or '.join(ways)} ({when})"


class Country(BaseModel):
    """A country's emergency number and lines, its main crisis line first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    emergency: str
    emergency_source: str
    lines: tuple[Line, ...] = ()


class Finder(BaseModel):
    """The directory for every other country."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    source: str
    checked: date


class Helplines(BaseModel):
    """The whole table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    finder: Finder
    countries: dict[str, Country]

    def emergency(self, country: str | None, english: bool = True) -> str:
        """The emergency number as it stands in a sentence."""
        known = self.countries.get((country or "").upper())
        if known:
            return f"**{known.emergency}**"
        return "the emergency number where you are (112 or 911 in many places)" if english else "112 (911, 999)"

    def lines(self, country: str | None, purpose: Purpose = "crisis", limit: int = 2) -> str:
        """Bullets for a visitor in `country`: lines of that purpose first, crisis lines, then the finder.

        An unknown country gets the finder and never the numbers of one country alone.
        """
        known = self.countries.get((country or "").upper())
        bullets: list[str] = []
        if known:
            ordered = [x for x in known.lines if x.purpose == purpose]
            if purpose != "poison":
                ordered += [x for x in known.lines if x.purpose in ("crisis", "general") and x not in ordered]
            bullets = [x.markdown() for x in ordered[:limit]]
        if not bullets:
            bullets = [f"- [{self.finder.name}]({self.finder.url}): free, confidential lines in your country"]
            if not known:
                bullets.append("- In the US: call or text **988**. In the UK and Ireland: **116 123**. In Canada: **988**. In Australia: **13 11 14**")
        return "\n".join(bullets)

    def short(self, country: str | None) -> str:
        """The main line in a few words, for reminders."""
        known = self.countries.get((country or "").upper())
        if known and known.lines:
            line = known.lines[0]
            return f"{line.name}, " + (f"call **{line.call}**" if line.call else f"text **{line.text}**" if line.text else f"[chat]({line.chat})")
        return f"[{self.finder.name}]({self.finder.url}) lists free lines in your country"

    def numbers(self) -> set[str]:
        """The digits of every number in the table, which replies may show."""
        found = {"988", "112", "911", "999", "116123", "131114"}
        for country in self.countries.values():
            found.add("".join(c for c in country.emergency if c.isdigit()))
            for line in country.lines:
                found.update("".join(c for c in n if c.isdigit()) for n in re.findall(r"\d[\d-]{8,}\d", line.note or ""))
                for way in (line.call, line.text, line.whatsapp):
                    if way:
                        found.add("".join(c for c in way if c.isdigit()))
                        found.update(p for p in ("".join(c for c in part if c.isdigit()) for part in way.replace("/", " or ").split(" or ")) if p)
        return found


@lru_cache(maxsize=8)
def load_helplines(path: Path) -> Helplines:
    """Read knowledge/helplines.yaml.

    Raises:
        pydantic.ValidationError: naming the country, line and field at fault.
    """
    data = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return Helplines(finder=data["international"]["finder"], countries=data["countries"])
