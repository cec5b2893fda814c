"""`lantern knowledge vet`: judge an article, sentence by sentence, against what the cards hold.

Two things decide a verdict. The encoder finds the nearest vetted statements: without a near one, a claim is
not covered. Positions (positions.yaml) and a few plain rules say when a claim goes beyond or against them.
It compares wording, not truth: an editor reads the report and decides.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bot.build import open_build
from bot.encoder import Encoder, Floats
from bot.guardrails.amounts import find_amounts
from bot.guardrails.wording import VENDOR
from bot.retrieval.card import Card
from bot.review.article import Part
from bot.review.positions import Position, about_ketamine, load_positions
from bot.settings import Settings

Verdict = Literal["in line", "stronger", "against", "not covered"]
VERDICT_WORDS: dict[Verdict, str] = {
    "in line": "in line with what we hold", "stronger": "stronger than what we hold", "against": "against what we hold", "not covered": "not covered",
}
# Cosine to the nearest vetted statement from which a claim counts as covered; chosen on the sample articles of the tests.
COVERED = 0.55
SAME = 0.80

SOURCING = re.compile(
    VENDOR.pattern + r"|\b(?:buy|purchase|order|shop for|get)\b[^.!?]{0,40}\b(?:online|delivered|delivery|shipp\w+|mailed|"
    r"without (?:a |any )?prescription|web ?(?:shop|store)|at home kit)\b"
    r"|\b(?:no|without) (?:a )?(?:prescription|doctor|questions?|evaluation) (?:needed|required|asked|necessary)\b|\b(?:fast|overnight|next[- ]day|discreet|"
    r"express) (?:delivery|shipping)\b|\bfor sale\b", re.I)
_CLINICIAN = (
    r"(?:your|a|the|their|an?y?) (?:own |local |qualified |licensed |primary care |family |mental health |health ?care )*"
    r"(?:doctor|gp|physician|clinician|provider|professional|therapist|psychiatrist|pharmacist)"
)
SELLING = re.compile(
    r"\b(?:call|contact|phone|text|e-?mail|message|visit|join|ask) (?:us|our)\b|\bcall (?:now|today)\b|\breach out to (?:us|our)\b|"
    rf"\b(?:book|schedule|request|reserve|claim|arrange|secure) (?:your|a|an|my) (?!.*\bwith {_CLINICIAN})(?:\w+[- ]){{0,4}}(?:consultation|appointment|evaluation|"
    rf"assessment|visit|call|session|spot|place|tour)\b|"
    r"\b(?:our|my) (?:\w+ )?(?:clinics?|team|services?|locations?|programs?|specialists?|patients?|providers?|infusions?|center|centre|practice|office|experts?|"
    r"therapists?|doctors?|clients?|shop|store|website|protocol|packages?|products?)\b|"
    r"\bwe(?: are|'re|’re)? (?:offer|provide|speciali[sz]e|accept|deliver|ship|proud|sell|stock|carry|guarantee)\b|\b(?:limited[- ]time|special offers?|discounts?|"
    r"financing|money-back|sign up (?:now|today)|get started (?:now|today)|free (?:consultation|shipping|sample)|"
    r"start your (?:\w+ )?journey|learn more about our|(?:now|currently) accepting|best price|add to (?:cart|basket)|shop now|satisfaction)\b|"
    r"\b(?:treatment|therapy) options available at\b|\b(?:conditions|disorders|illnesses) we treat\b|\bwe (?:will|can) (?:help|ask|tailor|work|create|guide)\b|"
    r"^\s*(?:our (?:services|locations?|team)|request (?:a|an) \w+|book (?:now|online)|call now.*|contact us|get started|shop|order now)\s*$", re.I)
HYPE = re.compile(
    r"\b(?:game[- ]?chang\w+|revolutioni[sz]\w*|revolutionary|miracle|miraculous|(?<!fda )breakthroughs?(?! (?:therapy )?designation)|life[- ]chang\w+|transformative|"
    r"transform(?:s|ing)? (?:your|lives|the)|cutting[- ]edge|"
    r"ground-?breaking|fresh start|new lease|ray of hope|beacon of hope|unlock\w*|unleash\w*|awe-inspiring|wonder drug|magic(?:al)?|holy grail|reclaim (?:your|their)|"
    r"take back (?:your|control)|"
    r"world-class|state-of-the-art|renowned|leading (?:clinic|provider|experts?)|secret to|the life you deserve|you deserve|exciting (?:time|new|area|frontier)|"
    r"say goodbye to|finally (?:be )?free|remarkable|awaken\w*|profound (?:transformation|healing)\w*|nothing short of)\b", re.I)
SELF = re.compile(
    r"\b(?:with (?:over |more than |nearly )?[\w-]+ (?:years|decades) of experience|(?:spans?|over) (?:two|three|several|many) decades|years of experience (?:using|"
    r"with|in)|i(?: am|'m|’m) (?:excited|thrilled|proud|passionate|dedicated)|"
    r"my (?:passion|mission|journey|connection|expertise|professional|experience)|i(?:'ve|’ve| have) (?:had the (?:honor|privilege|pleasure)|witnessed|helped|"
    r"spent years|made it a point)|as a (?:certified|leading|licensed|renowned))\b", re.I)
ABSOLUTE = re.compile(
    r"\b(?:cures?|cured|no side[- ]effects?|without (?:any )?side[- ]effects?|resets?|guarantee[ds]?|(?:completely|totally|absolutely|perfectly|100%) (?:safe|"
    r"effective)|always works?|never fails?|"
    r"permanent(?:ly)?|risk[- ]free|everyone|instant(?:ly)?|proven|eliminat\w+|eradicat\w+|all patients|once and for all|undeniabl\w+|most effective|"
    r"the best treatment)\b", re.I)
_ABSOLUTE_SPARE = re.compile(
    r"\b(?:not|no|never|isn['’]t|aren['’]t|nor|nothing|nobody|none|without proof|claims? (?:that|to)|beware|myth|if (?:a|the|any)|experienced by everyone|"
    r"not everyone)\b", re.I)
RESEARCH = re.compile(
    r"\b(?:(?:a|one|another|recent|early|several|many|some|other|new|the|more recent|clinical) (?:\w+ ){0,2}(?:stud(?:y|ies)|trials?|research)|"
    r"research(?:ers)? (?:show|suggest|indicate|has|have|believe|found)\w*|stud(?:y|ies) (?:show|suggest|found|have|indicate|published|reported)\w*|"
    r"experts? (?:say|agree|believe|underline|recommend)\w*|according to|scientists|evidence (?:shows|suggests)|statistics|survey|\d+(?:\.\d+)?\s?(?:%|percent|"
    r"per cent|million|out of|in \d))\b", re.I)
_ADVICE = re.compile(
    rf"\b(?:consult\w*|talk|speak|discuss|ask|check|share|tell|see|seek\w*)\b[^.!?]{{0,40}}\b(?:with|to|for|from)?\s*{_CLINICIAN}|\b(?:seek|get) (?:help|care|medical)\b|"
    r"^(?:it['’]?s? (?:is )?)?(?:important|essential|crucial|best) to (?:discuss|consult|talk|have|seek|ask)\b", re.I)
_NEGATION = re.compile(r"\b(?:not|no|nobody|nothing|neither|never|none|cannot|can['’]t|isn['’]t|aren['’]t|doesn['’]t|don['’]t|without|nor)\b", re.I)
_MARKED_AS_SELLING = {"selling", "sourcing", "hype", "self-promotion"}


@dataclass(frozen=True)
class Near:
    """A vetted statement and its cosine to the claim."""

    text: str
    card: str
    certainty: str
    similarity: float


@dataclass(frozen=True)
class Finding:
    """One sentence of the article, judged.

    Attributes:
        marks: what was marked in it, as (name, the words).
        verdict: None for a sentence that claims nothing.
        why: reasons for the verdict, in words for an editor.
    """

    part: Part
    marks: tuple[tuple[str, str], ...]
    verdict: Verdict | None
    why: tuple[str, ...] = ()
    near: tuple[Near, ...] = ()

    @property
    def promotional(self) -> bool:
        """Whether the sentence sells something, sources the drug, hypes it or praises its author."""
        return any(name in _MARKED_AS_SELLING for name, _ in self.marks)

    @property
    def flagged(self) -> bool:
        """Whether an editor must not pass the sentence on as it stands."""
        return self.verdict in ("stronger", "against") or self.promotional or any(n in ("absolute", "amount") for n, _ in self.marks)


@dataclass(frozen=True)
class Statements:
    """All sentences of the cards with their vectors."""

    rows: tuple[Near, ...]
    vectors: Floats

    def nearest(self, vector: Floats, count: int = 3) -> tuple[Near, ...]:
        """The closest statements, best first."""
        scores = self.vectors @ vector
        best = np.argsort(-scores)[:count]
        return tuple(Near(self.rows[i].text, self.rows[i].card, self.rows[i].certainty, float(scores[i])) for i in best)

    def of(self, cards: Sequence[str], vector: Floats) -> Near | None:
        """The closest statement among `cards`."""
        held = [i for i, row in enumerate(self.rows) if row.card in cards]
        if not held:
            return None
        best = max(held, key=lambda i: float(self.vectors[i] @ vector))
        row = self.rows[best]
        return Near(row.text, row.card, row.certainty, float(self.vectors[best] @ vector))


def statements(cards: Mapping[str, Card], encoder: Encoder, cache: Path) -> Statements:
    """Embed every sentence of the cards; vectors of unchanged sentences come from `cache` (an .npz file)."""
    rows = [Near(s.text, card.id, card.certainty, 0.0) for card in cards.values() for s in card.sentences() if len(s.text.split()) > 3]
    keys = [hashlib.sha256(r.text.encode()).hexdigest()[:32] for r in rows]
    known: dict[str, Floats] = {}
    if cache.exists():
        try:
            with np.load(cache) as held:
                known = dict(zip(json.loads(str(held["keys"])), held["vectors"], strict=True))
        except (OSError, ValueError, KeyError):
            known = {}  # a damaged cache is only slower
    new = list(dict.fromkeys((k, r.text) for k, r in zip(keys, rows, strict=True) if k not in known))
    for (key, _), vector in zip(new, encoder.encode([text for _, text in new]), strict=True):
        known[key] = vector
    vectors = np.asarray([known[k] for k in keys], dtype=np.float32).reshape(len(keys), -1)
    if new:
        unique = sorted(set(keys))
        part = cache.with_suffix(".part.npz")
        np.savez(part, keys=np.asarray(json.dumps(unique)), vectors=np.asarray([known[k] for k in unique], dtype=np.float32))
        part.replace(cache)
    return Statements(tuple(rows), vectors)


def marks(part: Part) -> tuple[tuple[str, str], ...]:
    """What stands out in a sentence whether or not it is true."""
    text = part.text
    found: list[tuple[str, str]] = []
    for name, pattern in (("sourcing", SOURCING), ("selling", SELLING), ("hype", HYPE), ("self-promotion", SELF)):
        if m := pattern.search(text):
            if name == "hype" and _NEGATION.search(text[: m.start()]):
                continue
            found.append((name, m[0].strip()))
    found += [("amount", a.text) for a in find_amounts(text)[:2]]
    if (m := ABSOLUTE.search(text)) and not _ABSOLUTE_SPARE.search(text) and part.kind != "question" and about_ketamine(text, part.context, part.section):
        found.append(("absolute", m[0]))
    if part.kind == "claim" and not part.cited and (m := RESEARCH.search(text)):
        found.append(("no citation", m[0]))
    return tuple(found)


def _disagrees(part: Part, near: Near) -> str | None:
    """Why a claim that is worded like a vetted statement says something else, or None."""
    words, theirs = (set(re.findall(r"[a-z]{4,}", t.lower())) for t in (part.text, near.text))
    if near.similarity < SAME or len(words & theirs) < 0.6 * min(len(words), len(theirs)):
        return None
    if bool(_NEGATION.search(part.text)) != bool(_NEGATION.search(near.text)):
        return "worded like ours, but one of the two says “not”"
    return None


def judge(part: Part, vector: Floats, held: Statements, positions: Sequence[Position]) -> Finding:
    """Judge one sentence."""
    noted = marks(part)
    near = held.nearest(vector)
    if part.kind != "claim" or any(n == "sourcing" for n, _ in noted):
        return Finding(part, noted, None)
    tripped = [p for p in positions if p.trips(part.text, part.context, part.section)]
    advice = bool(_ADVICE.search(part.text))
    if advice:
        tripped = [p for p in tripped if p.verdict == "against"]
    if tripped:
        worst: Verdict = "against" if any(p.verdict == "against" for p in tripped) else "stronger"
        anchors = [a for p in sorted(tripped, key=lambda p: p.verdict) if (a := held.of(p.holds, vector))]
        return Finding(part, noted, worst, tuple(f"It says {p.says}." for p in tripped), tuple(dict.fromkeys(anchors))[:3])
    if near and (why := _disagrees(part, near[0])):
        return Finding(part, noted, "against", (f"It is {why}.",), near)
    if any(n == "absolute" for n, _ in noted):
        return Finding(part, noted, "stronger", ("It promises without limits.",), near)
    if any(n == "hype" for n, _ in noted) and about_ketamine(part.text, part.context, part.section):
        return Finding(part, noted, "stronger", ("It praises where it should say what was found, and in whom.",), near)
    if any(n in ("selling", "self-promotion") for n, _ in noted):
        return Finding(part, noted, None)
    if near and (near[0].similarity >= COVERED or advice):
        return Finding(part, noted, "in line", (), near)
    return Finding(part, noted, "not covered", (), near)


@dataclass(frozen=True)
class Report:
    """A vetted article.

    Attributes:
        fit: "cite" (may be a source), "link" (may be pointed to, not cited) or "no".
        reasons: what decided, in words.
    """

    name: str
    findings: tuple[Finding, ...]
    fit: Literal["cite", "link", "no"]
    reasons: tuple[str, ...]

    def count(self, verdict: Verdict) -> int:
        """How many claims got `verdict`."""
        return sum(f.verdict == verdict for f in self.findings)

    def marked(self, name: str) -> int:
        """How many sentences carry the mark `name`."""
        return sum(any(n == name for n, _ in f.marks) for f in self.findings)


def conclude(name: str, findings: Sequence[Finding]) -> Report:
    """Whether an article may be cited, linked or neither.

    Any line that sells or sources the drug, any amount, more than two claims against the cards, or a fifth of the claims
    beyond them rules it out. To be cited it must also name its sources and be free of hype.
    """
    report = Report(name, tuple(findings), "no", ())
    claims = sum(f.verdict is not None for f in findings)
    beyond, against = report.count("stronger"), report.count("against")
    uncited, research = report.marked("no citation"), sum(f.part.kind == "claim" and bool(RESEARCH.search(f.part.text)) for f in findings)

    def some(count: int, what: str) -> str:
        return f"{count} {what}{'' if count == 1 else 's'}"

    ruled_out = [
        text for bad, text in (
            (report.marked("sourcing"), some(report.marked("sourcing"), "line") + " on how to get the drug"),
            (report.marked("selling"), some(report.marked("selling"), "line") + " selling something"),
            (report.marked("amount"), some(report.marked("amount"), "sentence") + " with an amount or a schedule"),
            (against > 2, some(against, "claim") + " against what we hold"),
            (beyond + against > 2 and beyond + against > claims / 5, f"{beyond + against} of {claims} claims beyond or against what we hold"),
            (not claims, "no claim that could be judged"),
        ) if bad
    ]
    if ruled_out:
        return Report(name, report.findings, "no", tuple(ruled_out))
    short = [
        text for bad, text in (
            (beyond + against, some(beyond + against, "claim") + " to be corrected beside the link"),
            (report.marked("hype") + report.marked("self-promotion"), "praise instead of findings"),
            (research and uncited > research / 3, f"{uncited} of {research} statements about research without a source"),
            (report.marked("absolute"), some(report.marked("absolute"), "absolute")),
        ) if bad
    ]
    return Report(name, report.findings, "link" if short else "cite", tuple(short) or ("its claims are in line with ours and it names its sources",))


def vet(name: str, parts: Sequence[Part], cards: Mapping[str, Card], encoder: Encoder, cache: Path) -> Report:
    """Judge a whole article."""
    held = statements(cards, encoder, cache)
    vectors = encoder.encode([p.text for p in parts])
    positions = load_positions()
    return conclude(name, [judge(p, v, held, positions) for p, v in zip(parts, vectors, strict=True)])


def vet_file(path: Path, settings: Settings) -> Report:
    """Judge the article in a file with the encoder that was built.

    Raises:
        ArticleError: when the file cannot be read.
        IndexFault: when nothing was built.
    """
    from bot.retrieval.card import load_cards
    from bot.review.article import read

    parts = read(path)
    built = open_build(settings)
    return vet(path.name, parts, load_cards(settings.knowledge_dir / "cards"), Encoder(built.folder), cache_path(settings, built.manifest))


def cache_path(settings: Settings, manifest: Mapping[str, object]) -> Path:
    """Where vectors of card sentences are kept: one file for each version of the encoder."""
    weights = hashlib.sha256(str(manifest.get("weights")).encode()).hexdigest()[:12]
    return settings.index_dir / f"statements-{weights}.npz"
