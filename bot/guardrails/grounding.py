"""Does a passage say what a reworded sentence says? Decided without a language model, in a millisecond or two.

A language model may word an answer its own way, so word-for-word comparison is not enough and a likeness of meaning is too
much: "it works" and "it does not work" are close neighbors. A sentence therefore has to pass every check here: plain writing,
numbers, names (medicines, conditions, people, places), negations and opposites, softening, quantity, and at last how much of it
stands in the passage, with the sentence encoder as a second witness. The word lists are grounding.yaml. It fails closed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

Likeness = Callable[[str, Sequence[str]], Sequence[float]]
"""Cosine of a sentence with each of several texts."""

PATH = Path(__file__).with_suffix(".yaml")
# Chosen on the development half of evals/data/faithfulness (docs/models.md has the figures of the other half).
COVERED = 0.60  # share of the sentence's content that stands in the passage, below which nothing helps
PLAIN = 0.85  # share from which the encoder is not asked
ALIKE = 0.62  # cosine that a sentence between the two must reach
LONGEST = 60  # words

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*|\d[\d,]*(?:\.\d+)?")
_ALLOWED = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ0-9 +.,;:!?'’‘“”\"()%$£€/–—-]*")
_CITES = re.compile(r"\[|\]|\bet al\b|\bdoi\b|\bpmid\b|\([^)]*\b(?:19|20)\d\d\)", re.I)
_SENTENCE = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[\"“‘(]?[A-Z0-9])")
_CLAUSE = re.compile(
    r"\s*[;:—–]\s*|,?\s+\b(?:but|although|though|while|whereas|because|since|unless)\b\s+|,\s+(?:so|which|and|or)\s+|\s+so that\s+"
    r"|\s+(?:and|or)\s+(?=(?:far |much )?(?:more|less|fewer|better|worse|higher|lower|larger|smaller|faster|slower|stronger|weaker)\b)"
    r"|\s+and\s+(?=(?:about|around|only|fewer than|more than)?\s*\d)|,\s+(?=(?:against|compared)\b)"
    r"|\s+(?:and|or)\s+(?=(?:[\w'-]+\s+){0,4}?(?:is|are|was|were|do|does|did|can|cannot|could|may|might|has|have|had|will|should|must|not|to)\b)", re.I)
_TERM = re.compile(r"\b(?:class|schedule|phase|tier|grade|type)\s+(?:[a-e]\b|[ivx]+\b|\d+)|\b(?:first|second|third|fourth)-line\b", re.I)
_ORDER = re.compile(
    r"^(?:please\s+|just\s+|then\s+|first,?\s+|now,?\s+|so\s+)?(take|use|stop|start|double|halve|skip|try|swallow|inject|snort|increase|reduce|lower|raise|mix|buy|order|let|quit|"
    r"drop|split|repeat|keep|begin|continue|ignore|tell|sign|book|visit|join|click|get|give|go|put|add|avoid|do|don't|never|always|wait|drink|eat)\b", re.I)
_YOU = re.compile(r"\byou(?:'re| are|'ve| have| clearly| probably| likely| need not| need| can| cannot| can't| could| will| should| must| do not| don't| may)\b|\bfor you\b|\bi(?:'m| am|'d| would| recommend| think| can)\b|\b(?:we|our|us)\b", re.I)
_MEASURED = frozenset(["more", "less", "fewer", "better", "worse", "higher", "lower", "larger", "smaller", "faster", "slower", "stronger", "weaker", "longer", "shorter", "safer", "riskier", "easier", "harder", "least"])
_DENIED = re.compile(r"\b(?:is|are|was|were) (?:wrong|false|untrue|a myth|not true|missing|lacking)\b", re.I)
_NO_MORE = re.compile(r"\bno (?:more|better|worse|less|faster|higher|lower) than\b", re.I)
_AUXILIARY = re.compile(r"(?:is|are|was|were|do|does|did|can|cannot|could|may|might|has|have|had|will|should|must|not|need|needs)\b", re.I)
def _compared(words: Sequence[str]) -> set[str]:
    return {x for i, x in enumerate(words) if x in _MEASURED and not (x == "least" and i and words[i - 1] == "at")}


_POINTS = frozenset(["it", "its", "they", "them", "this", "that", "these", "those", "both", "each", "one"])
_THAN = re.compile(r"\b(?:than|versus|vs|against|compared (?:with|to))\b", re.I)
_NUMBER_WORDS = {w: str(i) for i, w in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"])} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "hundred", "thousand": "thousand",
    "million": "million", "half": "1/2", "third": "1/3", "quarter": "1/4", "dozen": "12", "twice": "x2", "double": "x2", "doubled": "x2", "triple": "x3", "tripled": "x3", "percent": "%"}
_LOOSE_NUMBERS = {"0", "1", "hundred", "thousand"}
_SHARED = {"10", "100", "1000"}


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    # Every value is a word: "no" is not false.
    data: dict[str, Any] = yaml.load(PATH.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return data


_FUNCTION = frozenset(_data()["function"].split())
_IRREGULAR: dict[str, str] = dict(row.split("=") for row in _data()["irregular"].split())


def _stem(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("'")
    if word in _IRREGULAR:
        return word if _IRREGULAR[word] == word else _stem(_IRREGULAR[word])
    for suffix, put in (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("ing", ""), ("ed", ""), ("ly", ""), ("s", "")):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith(("ss", "us", "is")):
            cut = word[: -len(suffix)] + put
            if suffix in ("ing", "ed") and len(cut) > 3 and cut[-1] == cut[-2] and cut[-1] not in "lsz":
                cut = cut[:-1]
            word = _IRREGULAR.get(cut, cut)
            break
    return word.removesuffix("e") if len(word) > 3 else word


_LIGHT = frozenset(_stem(x) for x in _data()["light"].split())


@dataclass(frozen=True)
class Words:
    """grounding.yaml, ready to look up."""

    kinds: dict[str, tuple[str, str]]  # a name as it is written → (kind, which name)
    longest: int
    same: dict[str, str]
    opposite: dict[str, frozenset[str]]
    never_new: frozenset[str]
    negators: frozenset[str]
    unwords: frozenset[str]
    hedges: frozenset[str]
    quantity: dict[str, int]
    strong: frozenset[str]
    causal: frozenset[str]
    linked: frozenset[str]
    deontic: frozenset[str]
    glue: frozenset[str]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Words:
        """The lists of grounding.yaml."""
        data = _data()
        kinds: dict[str, tuple[str, str]] = {}
        for kind, groups in data["kinds"].items():
            for group in groups:
                for name in group:
                    key = " ".join(_stem(w) for w in _WORD.findall(str(name)))
                    kinds.setdefault(key, (kind, str(group[0])))
        same: dict[str, str] = {}
        for group in data["same"]:
            names = [_stem(w) for w in group.split()]
            for name in names:
                same.setdefault(name, same.get(names[0], names[0]))
        opposite: dict[str, set[str]] = {}
        for a, b in data["opposite"]:
            for one, other in ((_stem(a), _stem(b)), (_stem(b), _stem(a))):
                opposite.setdefault(one, set()).add(other)

        def words(name: str, stemmed: bool = True) -> frozenset[str]:
            return frozenset(_stem(w) if stemmed else w for w in data[name].split())

        return cls(
            kinds, max(len(k.split()) for k in kinds), same, {k: frozenset(v) for k, v in opposite.items()}, words("never_new"), words("negators", False),
            words("unwords", False), words("hedges", False), {w: int(n) for n, ws in data["quantity"].items() for w in ws}, words("strong"), words("causal", False),
            words("linked"), words("deontic", False), words("glue"),
        )


@dataclass(frozen=True)
class Clause:
    """One clause, read once.

    Attributes:
        raw: its words, lower case.
        stems: the stem of each.
        concepts: what it speaks of: content stems with words of one meaning read as one.
        names: (kind, name, position) of each medicine, condition, place and so on.
        odd: whether an odd number of words turns it round.
    """

    text: str
    raw: tuple[str, ...]
    stems: tuple[str, ...]
    concepts: frozenset[str]
    names: tuple[tuple[str, str, int], ...]
    numbers: tuple[tuple[str, int], ...]
    odd: bool

    @property
    def named(self) -> frozenset[tuple[str, str]]:
        """The names without their positions."""
        return frozenset((k, n) for k, n, _ in self.names)

    def of(self, kind: str) -> frozenset[str]:
        """The names of one kind."""
        return frozenset(n for k, n, _ in self.names if k == kind)


def _plain(text: str) -> str:
    plain = " ".join(text.lower().replace("’", "'").replace("‘", "'").split())
    return re.sub(r"[\"“](no|never|not)[.,]?[\"”]", r"quoted\1", plain)


def _negates(words: Sequence[str], at: int, w: Words) -> bool:
    """Whether the word there turns what follows round."""
    word = words[at]
    if word == "against":
        return at > 0 and words[at - 1].startswith(("advis", "recommend", "warn", "decid"))
    if word in ("rather", "instead"):
        return at + 1 < len(words) and words[at + 1] in ("than", "of")
    return word in w.negators or word in w.unwords


def _concept(stem: str, w: Words) -> str:
    return w.same.get(stem, stem)


@lru_cache(maxsize=20_000)
def read(text: str) -> Clause:
    """Read one clause or sentence."""
    w = Words.load()
    plain = _plain(text)
    raw = tuple(_WORD.findall(plain))
    split = tuple(piece for word in raw for piece in ([word] if word in w.unwords or word.count("-") == 0 or word in ("off-label", "on-label") else word.split("-")))
    stems = tuple(_stem(x) for x in split)
    names: list[tuple[str, str, int]] = []
    i = 0
    while i < len(stems):
        for size in range(min(w.longest, len(stems) - i), 0, -1):
            found = w.kinds.get(" ".join(stems[i : i + size]))
            if found and not (found[1] == "us" and split[i] == "us" and "US" not in text):
                names.append((*found, i))
                i += size
                break
        else:
            i += 1
    numbers: list[tuple[str, int]] = []
    for at, word in enumerate(split):
        if word[0].isdigit():
            numbers.append((word.replace(",", "").rstrip("."), at))
        elif word in _NUMBER_WORDS and word not in ("one", "second", "third"):
            numbers.append((_NUMBER_WORDS[word], at))
    if "%" in plain:
        numbers.append(("%", 0))
    concepts = frozenset(
        _concept(s, w) for word, s in zip(split, stems, strict=True)
        if word not in _FUNCTION and word not in w.negators and not word[0].isdigit() and len(word) > 1)
    turns = sum(_negates(split, at, w) for at in range(len(split))) + bool(_DENIED.search(plain))
    turns -= len(re.findall(r"\bnot (?:only|just)\b|\bno matter\b", plain))
    return Clause(text, split, stems, concepts, tuple(names), tuple(numbers), turns % 2 == 1)


@dataclass(frozen=True)
class Evidence:
    """A passage, read once."""

    sentences: tuple[str, ...]
    windows: tuple[Clause, ...]  # sentences, and neighbors two and three together
    clauses: tuple[tuple[Clause, int], ...]  # (clause, which sentence)
    whole: Clause

    def around(self, sentence: int) -> Clause:
        """The sentence and its neighbors."""
        return read(" ".join(self.sentences[max(0, sentence - 1) : sentence + 2]))


def sentences_of(text: str) -> list[str]:
    """Split running text into sentences."""
    return [s for s in _SENTENCE.split(" ".join(text.split())) if s.strip()]


def _clauses(sentence: str) -> list[str]:
    found: list[str] = []
    for piece in _CLAUSE.split(sentence):
        if not piece or len(piece.split()) < 2:
            continue
        if found and _AUXILIARY.match(piece):  # "it names A and does not name B": the second half has the first half's subject
            first = found[-1].split()
            verb = next((i for i, x in enumerate(first) if i and _AUXILIARY.match(x)), 3)
            piece = " ".join(first[: min(verb, 9)]) + " " + piece
        elif found and len(found[-1].split()) <= 4 and not any(map(_AUXILIARY.match, found[-1].split())) and f"{found[-1]} and {piece}" in sentence:
            piece = f"{found.pop()} and {piece}"  # a list of names, not a clause
        found.append(piece)
    return found or [sentence]


@lru_cache(maxsize=4_000)
def evidence(passage: str) -> Evidence:
    """Read a passage."""
    sentences = tuple(sentences_of(passage))
    windows = [read(" ".join(sentences[i : i + size])) for size in (1, 2, 3) for i in range(len(sentences) - size + 1)]
    clauses = [(read(c), i) for i, s in enumerate(sentences) for c in _clauses(s)]
    return Evidence(sentences, tuple(windows), tuple(clauses), read(passage))


def _share(wanted: frozenset[str], have: frozenset[str]) -> float:
    return len(wanted & have) / len(wanted) if wanted else 0.0


def _flips(a: Clause, b: Clause, w: Words) -> tuple[int, int]:
    """How many words of `a` stand for their opposite in `b`: without, and with, a negation that makes up for it."""
    plain = denied = 0
    mine, theirs = set(a.stems) - set(b.stems), set(b.stems) - set(a.stems)
    for s in mine:
        for o in w.opposite.get(s, frozenset()) & theirs:
            if _governed_of(a)[s] == _governed_of(b)[o]:
                plain += 1
            else:
                denied += 1
    return plain, denied


def _turned(a: Clause, b: Clause, w: Words) -> bool:
    """Whether `a` says the contrary of `b`, which speaks of the same.

    It does when a word stands for its opposite, or when an odd number of negations lies between them and one of them governs a word
    that both share.
    """
    plain, denied = _flips(a, b, w)
    if plain:
        return True
    mine, theirs = _governed_of(a), _governed_of(b)
    shared = a.concepts & b.concepts
    unlike = sum(mine[c] != theirs[c] for c in shared)
    if (a.odd + b.odd + bool(denied)) % 2 == 0:
        return not denied and unlike >= 2 and 2 * unlike >= len(shared) and _heads(a) != _heads(b)
    return not shared or unlike > 0


@lru_cache(maxsize=20_000)
def _governed_of(clause: Clause) -> dict[str, bool]:
    w, out = Words.load(), dict[str, bool]()
    whole = bool(_NO_MORE.search(clause.text)) ^ bool(clause.raw and clause.raw[0] == "without")
    for piece in clause.text.split(", "):  # a negation reaches as far as the next comma, "no" over a few words only
        part, odd, until = read(piece), False, 0
        for at, stem in enumerate(part.stems):
            if at and at == until:
                odd = not odd
            if _negates(part.raw, at, w) and not (whole and part.raw[at] in ("no", "without")):
                odd = not odd
                if at > 1 and part.raw[at] in ("no", "without"):
                    until = at + 4
            out[stem] = out[w.same.get(stem, stem)] = odd ^ whole
    if _DENIED.search(clause.text):
        out = {concept: not value for concept, value in out.items()}
    return out


@lru_cache(maxsize=20_000)
def _heads(clause: Clause) -> frozenset[str]:
    """The first concept after each negation: what is denied."""
    w, waiting, out = Words.load(), False, set[str]()
    named = {at for _, _, at in clause.names}
    for at, stem in enumerate(clause.stems):
        if _negates(clause.raw, at, w):
            waiting = clause.raw[at] not in w.unwords
        elif waiting and (concept := w.same.get(stem, stem)) in clause.concepts and at not in named:
            out.add(concept)
            waiting = bool(set(clause.raw[at + 1 : at + 3]) & {"whether", "if"})  # "not known whether it helps": knowing and helping
    return frozenset(out)


class Grounding:
    """Checks reworded sentences.

    Args:
        likeness: the sentence encoder's cosines; without it a sentence needs more words in common.
        known: English words; a word that is neither here nor in the passage is not plain writing. None: not looked at.
    """

    def __init__(self, likeness: Likeness | None = None, known: frozenset[str] | None = None) -> None:
        self._likeness, self._known = likeness, known
        self._words = Words.load()

    def fault(self, sentence: str, passage: str, context: str = "") -> str | None:
        """Why `passage` does not bear `sentence` out, or None when it does.

        Args:
            context: the title over the passage; it may say what "it" is, and supports no claim.
        """
        if wrong := self._writing(sentence):
            return wrong
        s, e, title = read(sentence), evidence(passage), read(context)
        for check in (self._new_words, self._numbers, self._names, self._orders):
            if wrong := check(s, e, title):
                return wrong
        covered, window = self._best(s, e)
        if covered < COVERED:
            return f"not in its passage: {covered:.2f} of it"
        if wrong := self._denied(s, e, window):
            return wrong
        for text in _clauses(sentence):
            if wrong := self._clause(read(text), s, e, window, title):
                return wrong
        if wrong := self._amount_of(s, e.whole):
            return wrong
        return self._alike(sentence, covered, e)

    # Writing

    def _writing(self, sentence: str) -> str | None:
        if unicodedata.normalize("NFKC", sentence).replace("…", "...") != sentence.replace("…", "...") or not _ALLOWED.fullmatch(sentence):
            return "odd characters"
        if _CITES.search(sentence):
            return "a citation of its own"
        words = sentence.split()
        if not 3 <= len(words) <= LONGEST:
            return f"{len(words)} words"
        if not sentence.rstrip("\"”’)").endswith((".", "!")):
            return "not a whole statement"
        if re.search(r"\b[A-Za-z](?:[\s.-][A-Za-z]\b){2,}|\b(?:\d\s){2,}\d\b(?!\s*\d{2})", re.sub(r"\b[A-Z](?:\.[A-Z])+\.?", "", sentence)) and not re.search(r"\d{2} \d{2}", sentence):
            return "spelled out"
        return None

    def _new_words(self, s: Clause, e: Evidence, title: Clause) -> str | None:
        have = set(e.whole.stems) | set(title.stems)
        for word, stem in zip(s.raw, s.stems, strict=True):
            if stem in have:
                continue
            if stem in self._words.never_new or word in self._words.never_new:
                return f"brings in “{word}”"
            if self._known is not None and word.isalpha() and len(word) > 3 and word not in self._known and stem not in self._known and word[:6] not in {x[:6] for x in have}:
                return f"unknown word “{word}”"
        w = self._words
        for stem in s.stems:
            concept = _concept(stem, w)
            if concept in s.concepts and stem not in have and concept not in e.whole.concepts and concept not in title.concepts and stem not in _LIGHT and concept not in _LIGHT and stem not in w.glue:
                return f"brings in “{stem}”"
        for word in re.findall(r"(?<![.!?] )(?<!^)(?<![\"“])\b[A-Z][A-Za-z]+\b", s.text):
            if _stem(word.lower()) not in have and not any(word.lower() == n or word.lower() in n.split() for _, n, _ in e.whole.names):
                return f"brings in the name “{word}”"
        return None

    # Numbers

    def _numbers(self, s: Clause, e: Evidence, title: Clause) -> str | None:
        have = {n for n, _ in e.whole.numbers}
        for number, _ in s.numbers:
            if number not in have and not (number in _LOOSE_NUMBERS and number in {n for n, _ in e.whole.numbers}):
                return f"number {number}"
        if terms := {t.lower() for t in _TERM.findall(s.text)} - {t.lower() for t in _TERM.findall(" ".join(e.sentences))}:
            return f"term {min(terms)}"
        for c in map(read, _clauses(s.text)):
            for number, at in c.numbers:
                if number not in _SHARED and number != "%" and number != "2" and (wrong := self._bound(number, at, c, e)):
                    return wrong
        return None

    def _bound(self, number: str, at: int, s: Clause, e: Evidence) -> str | None:
        """A number must belong to what it belongs to in the passage."""
        places = [c for c, _ in e.clauses if number in {n for n, _ in c.numbers}]
        for k, name, p in s.names:
            elsewhere = [x for x, _ in e.clauses if x.numbers and name in x.of(k)]
            if k in ("drug", "who") and elsewhere and abs(p - at) <= 6 and not any(number in {n for n, _ in x.numbers} for x in elsewhere) \
                    and {n for n, _ in s.numbers} - _SHARED <= {n for x in places for n, _ in x.numbers}:
                return f"number {number} does not belong to {name}"
        for kind in ("drug", "who", "time"):
            near = sorted((abs(p - at), n) for k, n, p in s.names if k == kind and (kind != "time" or 0 < p - at <= 2))
            if not near or (len({n for _, n in near}) < 2 and kind != "time" and not any(c.of(kind) for c in places)):
                continue
            named = [c.of(kind) for c in places if c.of(kind)]
            if not named:
                continue
            if kind == "time":
                units = {n for c in places for k, n, p in c.names if k == "time" for m, q in c.numbers if m == number and 0 < p - q <= 2}
                if units and near[0][1] not in units:
                    return f"number {number} {near[0][1]}"
            elif len({n for _, n in near}) >= 1 and not any(near[0][1] in names for names in named):
                return f"number {number} belongs to {min(named[0])}, not to {near[0][1]}"
        return None

    # Names

    def _names(self, s: Clause, e: Evidence, title: Clause) -> str | None:
        have = e.whole.named | title.named
        for kind, name in s.named:
            if (kind, name) not in have:
                return f"names {name}"
        return None

    def _orders(self, s: Clause, e: Evidence, title: Clause) -> str | None:
        text = _plain(s.text)
        source = " " + _plain(" ".join(e.sentences)) + " "
        if (order := _ORDER.match(text)) and not re.search(rf"(?:^|[.;:,!?] |\b(?:and|or|not|please|always|can|to|should|also) ){order[1].lower()}\b", source.strip()):
            return f"an order: {order[1]}"
        stems = set(e.whole.stems)
        for match in _YOU.finditer(text):
            if re.search(r"\bwho \w+ $", text[: match.start()]):
                continue
            if match[0] not in source and not (match[0].startswith("you") and " you " in source and match[0] in ("you can", "you may", "you could")):
                return f"speaks of “{match[0]}”"
        if (duty := {x for x in s.raw if x in self._words.deontic}) and not stems & {_stem(x) for x in self._words.deontic}:
            return f"a duty: {min(duty)}"
        if re.search(r"\b(?:comes?|is|are|puts?) last\b", text) and "last" not in e.whole.raw:
            return "brings in “last”"
        strong = {x for x in s.stems if x in self._words.strong} - stems
        if re.search(r"\bonly (?:about )?\d", text):
            strong -= {"only"}
        strong -= {_stem(x) for x in re.findall(r"\b(?:not|no|never|n't|cannot|nobody|nothing)\b(?: \w+){0,3}? (\w+)", text)}
        if strong and not (strong <= {"prov", "prove", "proof"} and {"show", "prov"} & stems):
            return f"stronger than its source: {min(strong)}"
        causes = {x for x in s.raw if x in self._words.causal and x not in ("make", "makes", "result", "results", "because", "due")}
        if causes and not {x for x in e.whole.raw if x in self._words.causal} and {x for x in e.whole.stems if x in self._words.linked}:
            return f"a cause where its source has a link: {min(causes)}"
        return None

    # Claims

    def _best(self, s: Clause, e: Evidence) -> tuple[float, Clause]:
        wanted = frozenset(c for c in s.concepts if c not in _LIGHT) or s.concepts
        best, window = 0.0, e.windows[0]
        for candidate in e.windows:
            share = _share(wanted, candidate.concepts)
            if share > best + 0.01:
                best, window = share, candidate
        return best, window

    def _denied(self, s: Clause, e: Evidence, window: Clause) -> str | None:
        """What the passage denies may not be said, and what it says may not be denied."""
        said = [c for t in _clauses(s.text) for c in [read(t)]]
        held = [c for c, _ in e.clauses]
        for mine, theirs in ((said, held), (held, said)):
            for c in mine:
                if mine is held and c.text not in window.text:
                    continue
                for head in _heads(c):
                    views = [_governed_of(p)[head] for p in theirs if head in p.concepts]
                    if mine is held and any(head in p.concepts and p.text in window.text and _governed_of(p)[head] in views for p in held):
                        continue
                    if views and head not in _LIGHT and not any(v == _governed_of(c)[head] for v in views) and not any(any(_flips(c, p, self._words)) for p in theirs if head in p.concepts):
                        return f"“{head}” is denied on one side only"
        return None

    def _clause(self, c: Clause, s: Clause, e: Evidence, window: Clause, title: Clause) -> str | None:
        names = {n for _, name in c.named for n in map(_stem, name.split())}
        wanted = c.concepts - names or c.concepts
        if not wanted:
            return None
        if wrong := self._gathered(c, e, title):
            return wrong
        if max((_share(wanted, p.concepts) for p, _ in e.clauses), default=0.0) < 0.34:
            if len(wanted - _LIGHT) >= 2 and wanted != c.concepts and _share(wanted - _LIGHT, window.concepts) < 0.5:
                return "a part of it is not in its passage"
            wanted = c.concepts
        ranked = sorted(((_share(wanted, p.concepts), _share(p.concepts, c.concepts), p, i) for p, i in e.clauses), key=lambda r: (-round(r[0], 2), -r[1]))
        top = ranked[0]
        if top[0] < 0.34:
            return None
        near = [r for r in ranked if r[0] >= top[0] - 0.10 and r[1] >= 0.6 * top[1]] or [top]
        for name in c.named:
            about = [p for p, _ in e.clauses if name in p.named and (wanted - _LIGHT) & p.concepts]
            if about and all(_turned(c, p, self._words) for p in about):
                return f"said otherwise of {name[1]}"
        good = [r for r in near if not _turned(c, r[2], self._words)]
        if not good:
            return f"turns round “{top[2].text[:60]}”"
        faults = [self._against(c, p, s, e, i, window, title) for _, _, p, i in good[:3]]
        return next((f for f in faults if f), None) if all(faults) else None

    def _against(self, c: Clause, p: Clause, s: Clause, e: Evidence, sentence: int, window: Clause, title: Clause) -> str | None:
        """What is wrong with clause `c` if it rests on clause `p`."""
        whole = read(e.sentences[sentence])
        for kind in ("drug", "form", "condition", "who", "worker", "helper", "place", "body", "route"):
            mine = c.of(kind)
            if not mine:
                continue
            theirs = p.of(kind) or whole.of(kind)
            earlier = e.sentences[sentence - 1] if sentence else ""
            if theirs and earlier and whole.raw and whole.raw[0] in _POINTS:
                theirs |= read(earlier).of(kind)
            if not theirs:
                theirs = read(earlier).of(kind) | title.of(kind) | e.whole.of(kind)
            allowed = theirs | (whole.of(kind) if len(mine & p.of(kind)) else frozenset())
            if extra := {n for n in mine - allowed if not self._elsewhere(n, kind, c, e)}:
                return f"{min(extra)} in the place of {', '.join(sorted(theirs))}"
            both = mine & (p if mine <= p.of(kind) else whole).of(kind)
            first = [n for n in self._order(c, kind) if n in both]
            second = [n for n in self._order(p if mine <= p.of(kind) else whole, kind) if n in both]
            if first != second and (_THAN.search(c.text) or (_MEASURED - {"more"}) & set(c.raw) or (kind == "drug" and not _THAN.search(p.text))) and not any(_flips(c, p, self._words)):
                return "compares the other way round"
        if wrong := self._measured(c, e):
            return wrong
        if new := _compared(c.raw) - set(e.around(sentence).raw):
            return f"compares otherwise: {min(new)}"
        if re.search(r"\bonly\b(?! (?:about|a |an |\d))", p.text) and not re.search(r"\b(?:only|just|no one|nobody|alone|no other|none)\b", s.text, re.I) and "only" in p.raw[:2]:
            return "leaves out “only”"
        mine_soft, their_soft = {x for x in s.raw if x in self._words.hedges}, {x for x in p.raw if x in self._words.hedges}
        if their_soft - {"about", "early", "can", "idea"} and not mine_soft and not (c.odd and p.odd):
            return f"leaves out “{min(their_soft)}”"
        if "can" in their_soft and not mine_soft and not c.odd:
            return "leaves out “can”"
        if "animal" in whole.of("who") | p.of("who") and not s.of("who"):
            return "leaves out that it was in animals"
        near = e.around(sentence)
        for word, stem in zip(c.raw, c.stems, strict=True):
            others = self._words.opposite.get(stem)
            if others and word not in _FUNCTION and stem not in near.stems and stem not in title.stems and _concept(stem, self._words) not in near.concepts and not others & set(near.stems):
                return f"brings in “{word}”"
        return self._amount_of(c, p, read(near.text + " " + window.text))

    def _gathered(self, c: Clause, e: Evidence, title: Clause) -> str | None:
        """A clause must stand in one sentence of the passage: words put together from several may join what does not belong together."""
        wanted = {x for x in c.concepts if x not in _LIGHT and x not in self._words.glue and x not in title.concepts}
        least = len(wanted)
        for i, text in enumerate(e.sentences):
            have = read(text).concepts | set(read(text).stems)
            missing = wanted - have
            if missing and i and read(text).raw[:1] and read(text).raw[0] in _POINTS:
                missing -= read(e.sentences[i - 1]).concepts
            if missing and len(wanted) >= 4:
                missing -= e.around(i).concepts
            least = min(least, len(missing))
        return "put together from several sentences" if least else None

    @staticmethod
    def _measured(c: Clause, e: Evidence) -> str | None:
        """What is better, larger or faster must be what is so in the passage."""
        for at, word in enumerate(c.raw):
            if word not in _MEASURED:
                continue
            for kind in ("drug", "who", "condition", "place"):
                mine = [n for k, n, p in c.names if k == kind and p < at]
                theirs = [[n for k, n, q in p.names if k == kind and q < p.raw.index(word)] for p, _ in e.clauses if word in p.raw]
                theirs = [names for names in theirs if names]
                if mine and theirs and _THAN.search(c.text) and not any(mine[-1] in names for names in theirs):
                    return f"compares the other way round: {mine[-1]}"
        return None

    def _elsewhere(self, name: str, kind: str, c: Clause, e: Evidence) -> bool:
        """Whether another clause of the passage says of `name` what stands beside it here."""
        at = next(p for k, n, p in c.names if k == kind and n == name)
        beside = {_concept(x, self._words) for x in c.stems[max(0, at - 4) : at + 5]} & c.concepts - {_concept(x, self._words) for x in c.stems[at : at + 1]}
        return any(name in p.of(kind) and len(beside & p.concepts) >= 2 and not _turned(c, p, self._words) for p, _ in e.clauses)

    @staticmethod
    def _order(c: Clause, kind: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(n for k, n, _ in c.names if k == kind))

    def _amount_of(self, c: Clause, p: Clause, whole: Clause | None = None) -> str | None:
        """Quantity words may not move along the scale."""
        scale = self._words.quantity
        mine = {scale[x] for x in c.raw if x in scale and x not in ("each", "no", "none", "never") and not (x == "all" and re.search(r"\b(?:at|after|above|of|not|first of) all\b", c.text, re.I)) and not (x == "any" and c.odd) and not (x == "anyone" and "anyone who" in c.text)}
        theirs = {scale[x] for x in (*p.raw, *(whole.raw if whole else ())) if x in scale}
        for level in mine - theirs:
            if level in (2,):
                continue
            if not any(abs(level - t) <= 0 for t in theirs) and not (level == 3 and 4 in theirs) and not (level in (0, 5) and c.odd):
                return "says how many or how often otherwise than its source"
        return None

    def _alike(self, sentence: str, covered: float, e: Evidence) -> str | None:
        if covered >= PLAIN:
            return None
        if self._likeness is None:
            return f"only {covered:.2f} of it is in its passage" if covered < 0.75 else None
        texts = [c.text for c in e.windows[: 2 * len(e.sentences)]]
        best = max(self._likeness(sentence, texts))
        need = ALIKE + (PLAIN - covered) * 0.4
        return f"likeness {best:.2f} with {covered:.2f} of it in its passage" if best < need else None


def known_words(lines: Iterable[str]) -> frozenset[str]:
    """English words and their stems, from a word list."""
    words = {line.split()[0].lower() for line in lines if line.strip() and not line.startswith("#")}
    return frozenset(words | {_stem(x) for x in words})
