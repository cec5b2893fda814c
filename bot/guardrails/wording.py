"""Words that no published text may hold: sellers, methods, unlisted links and contacts, raw HTML."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlparse

VENDOR = re.compile(
    r"\b(?:(?:order|buy|purchase) (?:it |ketamine |esketamine |spravato )?(?:online|now|here|without (?:a )?prescription)|add to cart|discreet(?:ly)? (?:shipp\w+|packag\w+)|"
    r"ships? (?:worldwide|overnight|to your door)|promo code|% off\b|telegram|wickr|signal me|whats?app me|dark ?net|dark ?web|onion (?:link|site)|"
    r"(?:my|your|a|the) (?:dealer|plug|supplier)(?: is| can|'s)|street price|vendors? (?:like|such as|called)|(?:crypto|bitcoin) accepted)\b", re.I)
METHOD = re.compile(
    r"\b(?:(?:hang|shoot|drown|stab|poison|cut|burn|gas|suffocat\w+|strangl\w+)(?:ing)? (?:yourself|himself|herself|themselves|your wrists?|his wrists?|her wrists?)|"
    r"(?:lethal|fatal) (?:dose|amount) (?:is|of)|jump(?:ing)? (?:from|off) (?:a|the) (?:bridge|roof|building)|"
    r"(?:crush|dissolve|cook|evaporate|snort|inject|plug|boof)(?:ing)? (?:the |your |it\b)(?:powder|tablet|lozenge|ketamine|crystals?)?)", re.I)
ORDERS = re.compile(
    r"\b(?:you should (?:take|stop|start|increase|reduce|skip|double|quit)|stop taking (?:your|the)|you (?:have|clearly have|probably have|are suffering from) (?:an? )?(?:anxiety disorder|gad|ptsd|ocd|depression|bipolar)|"
    r"you (?:are|'re) (?:a (?:good )?candidate|(?:safe|fine) to(?! (?:leave|go home|be discharged)))|(?<!if )(?<!when )(?<!whether )it(?: is|'s) safe for you|i (?:prescribe|recommend that you take|diagnose))\b", re.I)
LICENSED = re.compile(
    r"\b(?:as your (?:doctor|therapist|clinician|nurse|anesthesi\w+)|i(?:'m| am) (?:a|your) (?:licensed |real |human )?(?:doctor|physician|therapist|clinician|nurse|psychiatrist|pharmacist|person|human)\b|"
    r"clinician-guided|hipaa[- ]compliant|(?:my|our) (?:patients|treatment plan for you))", re.I)
_HTML = re.compile(r"<\s*/?\s*[a-z!][^>]*>|&lt;\s*/?\s*script|javascript\s*:|data\s*:\s*text/html|\bon(?:error|load|click)\s*=", re.I)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_URL = re.compile(r"(?:https?://|www\.)[^\s)>\]\"']+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|ru|to|co|shop|store|xyz|onion|info|me|cc|biz)\b(?:/[^\s)>\]]*)?", re.I)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_PHONE = re.compile(r"(?<![\w.,$£€-])(?:\+?\d{1,3}[\s.-]?)?(?:\(\d{1,4}\)[\s.-]?)?\d{2,4}(?:[\s.-]\d{2,4}){2,4}(?![\w-])|(?<!\d)\d{7,13}(?!\d)"
    r"|(?:\+\d{1,3}[\s.-]?)?\(\d{2,4}\)[\s.-]?\d{2,4}[\s.-]?\d{3,4}(?!\d)|(?<![\w.,$£€-])0\d{3,4}[\s.-]\d{5,6}(?!\d)|\+\d{1,3}[\s.-]\d[\d\s.-]{5,}\d")


def host_of(url: str) -> str:
    """The lower-case host of a URL or bare domain, without www."""
    return (urlparse(url if "://" in url else "https://" + url).hostname or "").lower().removeprefix("www.")


def digits(text: str) -> str:
    """Only the digits of a telephone number, for comparison."""
    return re.sub(r"\D", "", text)


def bad_links(text: str, hosts: Collection[str]) -> list[str]:
    """URLs and bare domains in `text` whose host is not in `hosts`."""
    return [u for u in _URL.findall(text) if host_of(u) not in hosts]


def bad_contacts(text: str, numbers: Collection[str]) -> list[str]:
    """E-mail addresses, and telephone numbers whose digits are not in `numbers`."""
    without_links = _URL.sub(" ", text)
    phones = [p for p in _PHONE.findall(without_links) if digits(p) not in numbers and not re.fullmatch(r"(?:19|20)\d\d[\s.-]\d\d[\s.-]\d\d", p.strip())]
    return _EMAIL.findall(text) + phones


def raw_html(text: str) -> list[str]:
    """HTML tags, script-like URLs and images in `text`."""
    return _HTML.findall(text) + _IMAGE.findall(text)
