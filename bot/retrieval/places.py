"""Which country a message or a passage speaks of, by its words, so that a visitor gets the paragraph that holds where they are."""

from __future__ import annotations

import re

ABROAD = "abroad"  # any country but the United States

# What visitors write when they are there, and what passages are written about. Words that mean something else elsewhere are left out.
_NAMED = {
    "GB": r"uk|u\.k|united kingdom|great britain|britain|british|england|scotland|scottish|wales|welsh|northern ireland|ulster|nhs|gps?|a&e|cqc|mhra|dvla|london|leeds|manchester|glasgow|edinburgh|cardiff|belfast|liverpool|sheffield|yorkshire|cornwall",
    "IE": r"(?<!northern )ireland|irish|hse|dublin|cork|galway|limerick|eire",
    "CA": r"canada|canadian|ontario|quebec|alberta|british columbia|manitoba|saskatchewan|nova scotia|new brunswick|newfoundland|toronto|vancouver|montreal",
    "AU": r"australian?|aussie|sydney|melbourne|brisbane|perth|adelaide|queensland|new south wales|nsw|tasmania",
    "NZ": r"new zealand|nz|aotearoa|auckland|wellington|christchurch|kiwi",
    "IN": r"indian?|delhi|mumbai|bangalore|bengaluru|chennai|kolkata|hyderabad",
    "EU": r"europe(?:an)?|eu|germany|german|france|french|spain|spanish|italy|poland|polish|netherlands|dutch|belgium|austria|sweden|denmark|finland|portugal|greece|berlin|paris|madrid",
    "US": r"usa?|u\.s|united states|america|medicaid|medicare|fda|dea|texas|florida|california|new york|ohio|911|988|samhsa",
}
_PATTERNS = {code: re.compile(rf"(?<![\w'])(?:{words})(?![\w])", re.I) for code, words in _NAMED.items()}
_US_IN_CAPITALS = re.compile(r"\bU\.?S\.?(?:A\b|\b)")
_EUROPEAN = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IT LT LU LV MT NL PL PT RO SE SI SK".split())
_OUTSIDE = re.compile(r"^(?:Outside the US|In other countries|Elsewhere)\b", re.I)


def _names(text: str, code: str) -> bool:
    if code == "US" and not _US_IN_CAPITALS.search(text):  # "us" is a word
        text = re.sub(r"\bus\b", "", text, flags=re.I)
    return _PATTERNS[code].search(text) is not None


def named(text: str) -> str | None:
    """The one country (ISO 3166-1 alpha-2, or EU) that a message names, or None when it names none or several."""
    found = [code for code in _NAMED if _names(text, code)]
    return found[0] if len(found) == 1 else None


def region(country: str | None) -> str | None:
    """How a country that a visitor chose is called here: members of the European Union are EU, what has no words of its own is ABROAD."""
    code = (country or "").upper()
    return None if not code else "EU" if code in _EUROPEAN else code if code in _NAMED else ABROAD


def holds_in(passage: str, place: str) -> bool:
    """Whether a passage is about `place`, or about all countries but the United States when `place` is one of them."""
    if _OUTSIDE.search(passage):
        return place != "US"
    return place in _NAMED and _names(passage.split(".")[0], place)
