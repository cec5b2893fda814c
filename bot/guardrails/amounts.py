"""Find medication amounts, intervals, titrations and conversions in text that we are about to publish.

Used on the way in (every card) and on the way out (every reply). It is deliberately stricter than a
reader would be: a false alarm costs a sentence, a miss gives dosing advice. Money, years, ages,
percentages, study sizes, scores, telephone numbers and the length of a visit are not amounts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from bot.guardrails.rules import matcher_of

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORD = rf"(?:{'|'.join([*_TENS, *_ONES])}|hundred|thousand|dozen|couple|few|several)"
_FRACTION_WORD = r"(?:half|quarter|third|two[ -]thirds|three[ -]quarters)"
_NUM = (
    rf"(?:[~≈<>]?\s*\d[\d.,]{{0,24}}(?:\s*[-–—/]\s*\d[\d.,]{{0,24}})?|[½¼¾⅓⅔⅛⅜⅝⅞]"
    rf"|{_WORD}(?:[ -](?:and[ -])?{_WORD}){{0,4}}|{_FRACTION_WORD}(?:\s+an?)?|point\s+{_WORD}"
    r"|(?:diez|veinte|treinta|cincuenta|cien|dix|vingt|cinquante|cent|zehn|zwanzig|fünfzig|hundert|cinquanta|cento|cem))"
)
_RANGE = rf"{_NUM}(?:\s*(?:to|or|and|-|–|—|~)\s*{_NUM})?"

# A unit that measures a medicine wherever it follows a number.
_MASS = (
    r"(?:m\s?g|m\.g\.|mgs?|mcgs?|µgs?|μgs?|ugs?|ngs?|milli?\s?grams?|milli?grammes?|micro\s?grams?|mics?|"
    r"nanograms?|grams?|grammes?|gs?|kilos? of|m\s?ls?|mls?|milli?\s?lit(?:er|re)s?|ccs?|iu|"
    r"miligramos?|milligrammi?|milligramm[en]?|miligramas?|miligramów|mg\.|"
    r"миллиграмм\w*|мг|мл|грамм\w*|毫克|克|毫升|ملغ|مجم|ملليغرام\w*|مل|मिलीग्राम|एमजी|ग्राम|मिली)"
)
# A thing one takes; counting these is an amount.
_FORM = (
    r"(?:tablets?|tabs?|pills?|capsules?|caps|lozenges?|troches?|sprays?|puffs?|squirts?|pumps?|drops?|"
    r"vials?|ampoules?|ampules?|syringes?|lines?\s+of\s+(?:ket\w*|k|powder|it)|bumps?|scoops?|"
    r"droppers?|patches|suppositor(?:y|ies)|shots?\s+of|hits?\s+of|teaspoons?|tsps?|"
    r"pastillas?|gotas?|comprimidos?|comprimés?|gouttes?|tropfen|tabletten|капель|таблет\w*|滴|片)"
)
_DRUG = (
    r"(?:ketamin\w*|esketamin\w*|arketamin\w*|spravato|medicines?|medications?|drugs?|doses?|dosage|dosing|infusions?|"
    r"injections?|sprays?|lozenges?|troches?|tablets?|pills?|treatments?|sessions?|boosters?|top-?ups?|"
    r"maintenance|benzodiazepines?|xanax|valium|ssris?|antidepressants?)"
)
_PERIOD = r"(?:minutes?|mins?|hours?|hrs?|days?|nights?|mornings?|weeks?|fortnights?|months?)"
_PER = r"(?:per|a|an|each|every|/)"
_TIMES = rf"(?:once|twice|thrice|{_NUM}\s*(?:times|x|×))"

_OFTEN = rf"(?:once|twice|thrice|times|x|×)\s*{_PER}"

# What every number of _NUM holds.
_SOME_NUMBER = rf"\pN|{_WORD}|{_FRACTION_WORD}|point|diez|veinte|treinta|cincuenta|cien|dix|vingt|cinquante|cent|zehn|zwanzig|fünfzig|hundert|cinquanta|cem"

# (kind, what must stand in a text for the pattern to match at all, pattern): one RE2 pass over all the first tells which patterns,
# far slower for what they look behind and ahead at, are worth trying (2.0 -> 1.0 ms for a reply). In RE2 \d and \s are ASCII, in the patterns
# they are not: \pN stands for any script's digits, and the text looked through has plain spaces only.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("mass", _SOME_NUMBER, rf"(?<![\w$£€]){_RANGE}\s*-?\s*{_MASS}(?![\w])"),
    ("per-weight", r"kg|kilo|lb|pound|hour|hr|h\b|min|m2|ml|day", rf"(?<![^\W\d_]){_MASS}\s*(?:/|per|a|each|for every)\s*(?:kg|kilo\w*|lb|pound|hour|hr|h|min\w*|m2|ml|day)\b"),
    ("per-weight", r"kg|kilo|lb|pound", r"(?:\bper|/|\bfor each|\bfor every)\s*(?:kg|kilo(?:gram)?s?|lbs?|pounds?)\b"),
    ("count", _SOME_NUMBER, rf"(?<![\w$£€]){_RANGE}\s*(?:\w+\s+)?{_FORM}(?!\w)"),
    ("fraction", r"dose|dosage|tablet|pill|lozenge|troche|spray|vial|amount", rf"\b(?:an?\s+)?(?:{_FRACTION_WORD}|twice|double|triple)\s+(?:of\s+)?(?:it|that|one|an?|the|your|my|the usual)\s*"
                 rf"(?:usual\s+|normal\s+|starting\s+)?(?:dose|dosage|tablet|pill|lozenge|troche|spray|vial|amount)"),
    ("fraction", r"half|quarter|third", r"\b(?:take|use|try|swallow|split|only|just)\s+(?:about\s+)?(?:a\s+)?(?:half|quarter|third)\s+(?:of\s+)?(?:it|one|that|them)\b"),
    ("concentration", r"%|m\s?l\b", rf"%\s*(?:ketamine|solution|strength|spray|concentration)|(?<![^\W\d_]){_MASS}\s*(?:/|per)\s*m\s?l\b"),
    ("interval", _OFTEN, rf"\b{_TIMES}\s*{_PER}\s*{_PERIOD}(?=[^.!?]*\b{_DRUG}\b)"),
    ("interval", r"\bevery\s", rf"\bevery\s+(?:other\s+|second\s+|{_RANGE}\s+){_PERIOD}(?=[^.!?]*\b{_DRUG}\b)"),
    ("interval", _OFTEN + r"|\bevery\s|daily|weekly|monthly|apart", rf"\b{_DRUG}\b[^.!?]{{0,80}}?\b(?:{_TIMES}\s*{_PER}\s*{_PERIOD}|every\s+(?:other\s+|second\s+|few\s+|{_RANGE}\s+){_PERIOD}"
                 rf"|{_TIMES}[ -](?:daily|weekly|monthly)|{_NUM}\s*{_PERIOD}\s+apart)"),
    ("interval", r"daily|weekly|monthly|nightly", rf"\b(?:{_TIMES}[ -])(?:daily|weekly|monthly|nightly)\b"),
    ("interval", r"(?:minute|min|hour|hr|day|week)s?\b", rf"\b(?:take|give|repeat|redose|re-dose|use|have)\b[^.!?]{{0,40}}?\b(?:after|in|within|every)\s+{_RANGE}\s+(?:more\s+)?(?:minutes?|mins?|hours?|hrs?|days?|weeks?)\b"),
    ("schedule", r"(?:infusion|dose|injection|treatment|session)s?\s+(?:given\s+|spread\s+)?(?:over|in|within|across|per|an?|each|every)\s", rf"(?<![\w$£€]){_RANGE}\s*(?:\w+\s+)?(?:infusions?|doses?|injections?|treatments?|sessions?)\s+(?:given\s+|spread\s+)?(?:over|in|within|across|per|a|each|every)\s+(?:the\s+)?(?:first\s+)?{_RANGE}?\s*{_PERIOD}"),
    ("schedule", r"\bq\s?\pN|[btqp]\.?[idr]\.?[dn]", r"\bq\s?\d+\s?(?:h|d|hrs?|days?)\b|\b(?:b\.?i\.?d|t\.?i\.?d|q\.?i\.?d|p\.?r\.?n)\b\.?"),
    ("titration", r"\bby\s", rf"\b(?:increase|raise|double|halve|lower|cut|reduce|taper|titrat\w+|step up|go up|bump up|drop)\b[^.!?]{{0,50}}?\bby\s+(?:{_NUM})\b"
                  rf"(?!\s*(?:%|percent|per cent|in|out of)\b[^.!?]*\b(?:risk|odds|symptom|score|anxiety|depression))"),
    ("titration", r"\b(?:start|begin)", rf"\b(?:start(?:ing)?|begin(?:ning)?)\s+(?:dose|with|at|on)\s+(?:of\s+)?{_NUM}(?!\s*(?:%|percent|years?|people|questions?|weeks?|sessions?))\s*(?:mg|ml|{_FORM}|and then|then)"),
    ("conversion", r"equ|same as|conver", rf"\b(?:equivalent|equals?|equal to|same as|converts? to|conversion)\b[^.!?]{{0,40}}?{_NUM}\s*(?:{_MASS}|{_FORM})(?!\w)"),
    ("ratio", r"\pN\s*(?:%|per)", r"\b(?:bioavailability|absorb\w*)\b[^.!?]{0,60}?\d+\s*(?:%|percent|per cent)"),
)
_COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, _, pattern in _PATTERNS)
_NEEDS = matcher_of(needs for _, needs, _ in _PATTERNS)

# What looks like an amount and is not one.
_INNOCENT = re.compile(
    r"\b(?:line \d|one in \w+|1 in \d|(?:a|one|the) (?:spray|tablet|pill|lozenge|drop|patch|shot)\b|"
    r"nasal spray|5g|4g|3g\b|in a few drops)", re.IGNORECASE,
)
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060-\u2064\ud800-\udfff\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Amount:
    """One finding: its kind and the offending words."""

    kind: str
    text: str


def find_amounts(text: str) -> list[Amount]:
    """List every medication amount, interval, titration or conversion in `text` (empty when clean).

    The text is read after Unicode NFKC folding and without invisible characters, so full-width
    digits or a zero-width joiner do not hide an amount.
    """
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    found: list[Amount] = []
    for i in sorted(_NEEDS.Match(" ".join(folded.split())) or ()):
        kind, pattern = _COMPILED[i]
        for match in pattern.finditer(folded):
            words = " ".join(match.group(0).split())
            if kind == "count" and _INNOCENT.fullmatch(words):
                continue
            found.append(Amount(kind, words))
    return found
