"""Pages that need no JavaScript and no assistant: help lines and answers from cards, the notices, the API, the first paint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from bot.helplines import Helplines
from bot.retrieval.card import Card
from bot.settings import ROOT, Settings
from bot.web.view import View, help_lines
from bot.web.widget import safe_contact

DOCS = ROOT / "docs"
WHO = "Lantern is an AI, not a person and not a clinician."
PURPOSE = "Education only, for adults. It does not diagnose or treat, and it can be wrong."
# The most asked questions, shown when nothing else can be.
ASKED = (
    "mechanisms-what-is-ketamine", "evidence-anxiety", "risks-is-it-safe", "risks-common-side-effects", "risks-serious-risks", "risks-who-should-not",
    "risks-bladder", "risks-addiction", "regulation-legal", "regulation-at-home", "consultation-find-provider", "consultation-cost",
    "consultation-red-flags", "consultation-what-it-feels-like", "help-why-no-amounts", "anxiety-panic-now", "anxiety-best-treatments",
)


def shell(title: str, body: str, settings: Settings) -> str:
    """A whole page around `body`."""
    root = escape(settings.root_path.rstrip("/"))
    site = f" on {escape(settings.site_name)}" if settings.site_name else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escape(title)} · Lantern{site}</title>'
        f'<link rel="icon" href="{root}/ui/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="{root}/ui/brand.css">'
        f'<link rel="stylesheet" href="{root}/ui/page.css"></head>'
        f'<body><main><p class="name"><a href="{root}/">Lantern</a>{site}</p><h1>{escape(title)}</h1>{body}</main>'
        f'<footer><a href="{root}/static-help">Help and answers</a> <a href="{root}/privacy">Privacy</a> '
        f'<a href="{root}/policy">How Lantern works</a></footer></body></html>'
    )


def numbers(helplines: Helplines, country: str) -> str:
    """One country's emergency number and lines as a list."""
    data = help_lines(helplines, country)
    rows = [f"<li><strong>Emergency:</strong> {_anchor(data['emergency'], data['emergency_href'])}</li>"]
    for row in data["lines"]:
        ways = ", ".join(_anchor(w["label"], w["href"]) for w in row["ways"])
        rows.append(f"<li><strong>{escape(row['name'])}:</strong> {ways} <span class='small'>({escape(row['when'])})</span></li>")
    return f"<ul>{''.join(rows)}</ul>"


def _anchor(label: str, href: str) -> str:
    outside = ' target="_blank" rel="noopener noreferrer"' if href.startswith("http") else ""
    return f'<a href="{escape(href)}"{outside}>{escape(label)}</a>' if href else escape(label)


def help_page(helplines: Helplines, cards: Mapping[str, Card], view: View, settings: Settings, off: bool = False) -> str:
    """Help lines by country and the most asked questions."""
    mine = (settings.country or "").upper()
    first = [c for c in (mine,) if c in helplines.countries]
    rest = sorted((c for c in helplines.countries if c not in first), key=lambda c: (c not in ("US", "CA", "GB", "IE", "AU", "NZ"), helplines.countries[c].name))
    countries = "".join(
        f"<details{' open' if c == mine else ''}><summary>{escape(helplines.countries[c].name)}</summary>{numbers(helplines, c)}</details>" for c in [*first, *rest]
    )
    answers = "".join(f"<details><summary>{escape(cards[i].title)}</summary>{view.card(cards[i])}</details>" for i in ASKED if i in cards)
    lead = "<p class='note'>The chat is switched off for now. These answers and help lines stay here.</p>" if off else ""
    body = (
        f"<p class='who'><strong>{WHO}</strong> {PURPOSE}</p>{lead}"
        "<h2 id='help'>If you need a person now</h2><p>If someone is in danger, call your emergency number. These lines are for talking to a person.</p>"
        f"{numbers(helplines, '')}{countries}"
        + (f"<h2>Most asked questions</h2><p class='small'>Each answer comes from a checked card.</p>{answers}" if answers else "")
    )
    return shell("Help and answers", body, settings)


def document(name: str, settings: Settings) -> str:
    """docs/<name>.md as a page, with the owner's name and contact filled in.

    Raises:
        FileNotFoundError: when the docs were not installed with the program.
    """
    path = DOCS / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    contact = settings.contact if safe_contact(settings.contact) else ""
    shown = re.sub(r"^(?:mailto|tel):", "", contact)
    reach = f"[{shown}]({contact})" if contact else "the contact page of the site that offers Lantern"
    text = text.replace("{site}", settings.site_name or "this site").replace("{contact}", reach)
    title, _, rest = text.partition("\n")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(rest)
    return shell(title.lstrip("# ").strip(), body, settings)


def api_page(schema: Mapping[str, Any], settings: Settings) -> str:
    """The API for people, from the OpenAPI document, without a script from anywhere."""
    parts = ["<p>The same contract as <code>lantern batch</code>. The machine-readable form is <a href='openapi.json'>openapi.json</a>.</p>"]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answers = "".join(f"<li><code>{escape(code)}</code> {escape(r.get('description', ''))}</li>" for code, r in operation["responses"].items())
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description') or operation.get('summary', ''))}</p><ul>{answers}</ul>")
    parts.append("<h2>Shapes</h2>")
    for name, shape in schema.get("components", {}).get("schemas", {}).items():
        if name in ("HTTPValidationError", "ValidationError"):
            continue
        needed = shape.get("required", ())
        rows = "".join(
            f"<tr><td><code>{escape(k)}</code>{' (required)' if k in needed else ''}</td><td>{escape(_type(v))}</td>"
            f"<td>{escape(v.get('description', ''))}</td></tr>"
            for k, v in shape.get("properties", {}).items()
        )
        if rows:
            parts.append(f"<h3>{escape(name)}</h3><table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>")
    parts.append(
        "<h2>Try it</h2><pre tabindex='0'><code>curl -s -H 'Content-Type: application/json' \\\n"
        "  -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Can ketamine harm the bladder?\"}], \"country\": \"US\"}' \\\n"
        "  http://127.0.0.1:7860/api/chat</code></pre>"
    )
    return shell("The API", "".join(parts), settings)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type(s) for s in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


# Gradio's page describes itself to social networks and links to the maker's pictures; ours does not.
_FOREIGN = re.compile(r"<meta\s[^>]*(?:property=\"og:|name=\"twitter:)[^>]*>|<link rel=\"manifest\"[^>]*>", re.I)
_SCRIPT = re.compile(r"<script(?=[\s>])", re.I)


def first_paint(html: str, nonce: str, helplines: Helplines, settings: Settings, version: Iterable[str]) -> str:
    """Gradio's index page made ours: no foreign links, a nonce on each script, and help that shows before any script runs."""
    root = escape(settings.root_path.rstrip("/"))
    stamp = escape("-".join(version))
    site = f" · {escape(settings.site_name)}" if settings.site_name else ""
    html = _FOREIGN.sub("", html)
    head = (
        f"<title>Lantern{site}</title><meta name='description' content='{WHO} {PURPOSE}'><meta name='robots' content='noindex'>"
        f"<link rel='icon' href='{root}/ui/icon.svg' type='image/svg+xml'>"
        f"<link rel='preload' href='{root}/ui/fonts/atkinson-hyperlegible-next-latin-wght-normal.woff2' as='font' type='font/woff2' crossorigin>"
        f"<link rel='stylesheet' href='{root}/ui/brand.css'><link rel='stylesheet' href='{root}/ui/widget.css?v={stamp}'>"
        f"<script src='{root}/ui/widget.js?v={stamp}'></script>"
    )
    boot = (
        f"<div id='lantern-boot'><p><strong>{WHO}</strong> {PURPOSE}</p><div>{numbers(helplines, (settings.country or '').upper())}</div>"
        f"<p><a href='{root}/static-help'>Help lines and the most asked questions</a></p><noscript><p>The chat needs JavaScript. The page above does not.</p></noscript></div>"
    )
    html = re.sub(r"<head>", lambda _: "<head>" + head, html, count=1)
    html = re.sub(r"(<body[^>]*>)", lambda m: m[1] + boot, html, count=1)
    html = html.replace("shrink-to-fit=no", "viewport-fit=cover")
    return _SCRIPT.sub(f'<script nonce="{nonce}"', html)
