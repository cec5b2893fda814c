"""Undo what hides a message's words, so that rules, router and retriever all read what a person would read.

`normalize` gives a canonical text (invisible characters gone, look-alikes folded, leet and spaced-out
words restored where that yields known words, encodings decoded) and the further views worth screening.
Word-level repairs are made only when they turn an unknown word into a known one, so ordinary typing,
names and abbreviations stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import itertools
import math
import re
import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MAX_CHARS = 20_000
_DECODE_CHARS = 4_000
_REPAIR_WORDS = 600
# Short pieces must be common words before a long word is split into them: "Abschiedsbrief" is not "abs chi eds brief".
_COMMON, _RARE = 4_000, 30_000

_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0100-\U000e01ef]"
)
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_MARKUP = re.compile(r"<!--[^>]{0,300}-->|</?[a-zA-Z][^<>]{0,300}>|(?<!\w)[*_`~]{1,3}(?=\w)|(?<=\w)[*`~]{1,3}(?!\w)")
# Look-alikes that NFKC leaves alone (Unicode confusables, the Cyrillic, Greek, Armenian and small-capital rows).
_CONFUSABLE = str.maketrans(
    "аАбВвгеЕѐёзіїІЇјЈкКмМнНоОрРсСтТуУхХҳһԁԛԝѕЅгԍԌɡαΑβΒεΕηΗιΙκΚμΜνΝοΟρΡτΤυΥχΧγωσςԼոսօɑɩɪʀɴʟʜᴀʙᴄᴅᴇꜰɢᴊᴋᴍᴏᴘǫꜱᴛᴜᴠᴡʏᴢıȷ⍺ℓ∂ƒ",
    "aAbBBreEeeziiIIjJkKmMhHoOpPcCtTyYxXhhdqwsSrgGgaAbBeEnHiIkKmMvNoOpPtTuYxXywosLnuoaiirnlhabcdefgjkmopqstuvwyzijaldf",
)
_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
                       "@": "a", "$": "s", "!": "i", "+": "t", "€": "e", "£": "l", "|": "l", "(": "c", "¥": "y"})
# What is left of a message of which several words were leet: short words, and words that no list knows.
_LEET_REST = re.compile(r"(?<![\w.,])(?:[a-zA-Z][0-9@$!]|[0-9@$!][a-zA-Z]|[a-zA-Z]+(?:[0-9@$!][a-zA-Z]+)+[0-9@$!]?|[a-zA-Z]{2,}[0-9@$])(?![\w])")
_EMOJI = {
    "💊": " pill ", "💉": " needle ", "🐴": " horse ", "🐎": " horse ", "❄": " snow ", "🔪": " knife ", "🔫": " gun ",
    "⚰": " coffin ", "💀": " dead ", "☠": " dead ", "🪦": " grave ", "🛒": " buy ", "💸": " money ", "👋": " goodbye ",
    "😭": " crying ", "😢": " crying ", "🆘": " sos help ", "🚑": " ambulance ", "👃": " nose ", "🤒": " ill ", "🤢": " sick ",
}
# Words that decide between help, refusal and answer; a slip in one of them must not.
KEY_WORDS = (
    "ketamine esketamine spravato suicide suicidal suicidally myself yourself himself herself overdose overdosed overdosing seizure seizures unconscious breathing "
    "breathe dosage doses dosing milligrams tolerance lozenge lozenges troche infusion infusions injection inject injecting snort snorting prescription prescribed "
    "without dealer telegram anxiety anxious depression depressed bladder addictive addiction insurance therapist psychiatrist clinic clinics provider ignore "
    "instructions previous happening killing hurting ending anymore goodbye emergency collapsed swallowed"
).split()
_MORSE = dict(zip(
    [".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---", ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..", "-----", ".----", "..---", "...--", "....-", ".....", "-....", "--...", "---..", "----."],
    "abcdefghijklmnopqrstuvwxyz0123456789", strict=True))
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][\s._\-*/|,+~·•]{1,3}){3,}[^\W_](?![^\W_])")
_SEPARATOR = re.compile(r"[\s._\-*/|,+~·•]+")
_DOTTED = re.compile(r"\b[^\W\d_]{1,4}(?:[.\-_*~·•|][^\W\d_]{1,4}){1,8}\b")
_TOKEN = re.compile(r"\S+")
_FOREIGN = re.compile("[\u0250-\u02af\u0370-\u03ff\u0400-\u058f\u1d00-\u1d7f\ua730-\ua7ff\u2202\u2113\u237aıȷƒǫ]")
_EDGE = re.compile(r"^([\"'“”‘’(\[{.,;:?¿¡…-]*)(.*?)([\"'“”‘’)\]}.,;:?!…-]*)$", re.S)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/=])(?:\s+[A-Za-z0-9+/_-]{8,}={0,2})*")
_HEX = re.compile(r"(?<![0-9a-zA-Z])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s,:]?){6,}(?![0-9a-zA-Z])")
_BINARY = re.compile(r"(?<!\d)(?:[01]{7,8}\s?){4,}(?!\d)")
_DECIMAL = re.compile(r"(?<!\d)(?:(?:3[2-9]|[4-9]\d|1[01]\d|12[0-6])[\s,]+){5,}(?:3[2-9]|[4-9]\d|1[01]\d|12[0-6])(?!\d)")
_MORSE_RUN = re.compile(r"(?:[.\-·–—_]{1,5}[\s/|]+){4,}[.\-·–—_]{1,5}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}){4,}|(?:\\u[0-9a-fA-F]{4}.?){4,}")


@dataclass(frozen=True)
class Views:
    """A message as it should be read.

    Attributes:
        canonical: the text to route and to answer; case kept, one line.
        others: further readings to screen (text decoded from a part, the text before repairs).
        tampered: whether anything more than white space and case was undone.
        garbled: the letters that a cipher was undone from: for the rules alone, a router makes a crisis of them.
    """

    canonical: str
    others: tuple[str, ...] = ()
    tampered: bool = False
    garbled: str = ""


@lru_cache(maxsize=1)
def known_words() -> dict[str, int]:
    """Common English words and this subject's, most frequent first: word → rank."""
    text = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8")
    return {word: rank for rank, word in enumerate(text.split())}


def fold(text: str) -> str:
    """Unicode clean-up: tag characters revealed, invisible ones dropped, NFKC, marks and look-alikes folded.

    Look-alikes are folded only in words that mix scripts or stand among Latin words, so Russian or
    Greek prose is left alone.
    """
    text = _TAGS.sub(lambda m: " " + "".join(chr(ord(c) - 0xE0000) for c in m[0]) + " ", text)
    text = re.sub("[\U0001f1e6-\U0001f1ff]", lambda m: chr(ord(m[0]) - 0x1F1E6 + 97), text)
    text = re.sub("[\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189]",
                  lambda m: chr((ord(m[0]) - 0x1F130) % 32 % 26 + 97), text)
    text = _INVISIBLE.sub("", text)
    text = unicodedata.normalize("NFKC", text)
    text = _INVISIBLE.sub("", text)
    for sign, meaning in _EMOJI.items():
        if sign in text:
            text = text.replace(sign, meaning)
    latin = len(re.findall(r"[A-Za-z]", text))
    foreign = len(re.findall(r"[\u0370-\u03ff\u0400-\u052f\u0531-\u058f]", text))

    def word(match: re.Match[str]) -> str:
        if not _FOREIGN.search(match[0]):
            return match[0]
        mixed = re.search(r"[A-Za-z]", match[0]) is not None
        disguised = mixed or latin >= foreign or re.search(r"[0-9@$€£|]", match[0]) is not None
        return match[0].translate(_CONFUSABLE) if disguised else match[0]

    if _FOREIGN.search(text):
        text = _TOKEN.sub(word, text)
    if foreign and latin < foreign and (all_folded := text.translate(_CONFUSABLE)) and _known_share(all_folded) > 0.7:
        text = all_folded
    # Marks that compose with no letter are stacked on for disguise ("zalgo"); the accents of ordinary words compose.
    if len(re.findall("[\u0300-\u036f\u0489]", text)) >= 2:
        text = re.sub("[\u0300-\u036f\u0489]+", "", unicodedata.normalize("NFD", text))
    return text


def _known_share(text: str) -> float:
    words = re.findall(r"[a-z']+", text.lower())
    known = known_words()
    letters = sum(map(len, words))
    return sum(len(w) for w in words if w in known) / letters if letters >= 6 and len(words) >= 2 else 0.0


def segment(text: str) -> list[str]:
    """Split run-together letters into the likeliest known words (unigram Viterbi, Zipf costs); [] if unlikely."""
    known = known_words()
    text = text.lower()[:120]
    size = math.log(len(known) + 1)
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(text) + 1):
        options = []
        for start in range(max(0, end - 18), end):
            piece = text[start:end]
            if known.get(piece, _RARE) < (_RARE if len(piece) > 4 else _COMMON) and (len(piece) > 1 or piece in "ai"):
                options.append((best[start][0] + math.log((known[piece] + 20) * size), start))
            elif end - start == 1:
                options.append((best[start][0] + 25.0, start))
        best.append(min(options))
    words: list[str] = []
    end = len(text)
    while end:
        start = best[end][1]
        words.append(text[start:end])
        end = start
    words.reverse()
    good = sum(len(w) for w in words if ((known.get(w, _RARE) < (_RARE if len(w) > 4 else _COMMON)) and len(w) > 1) or w in ("a", "i"))
    return words if good >= 0.85 * len(text) else []


def _unleet(word: str) -> str | None:
    known = known_words()
    if not re.search(r"[a-zA-Z]", word) or not re.search(r"[0-9@$!+€£|(¥]", word):
        return None
    for one in ("i", "l"):
        candidate = word.lower().replace("1", one).replace("!", one).replace("|", one).translate(_LEET)
        for form in (candidate, re.sub(r"(.)\1+", r"\1", candidate)):
            if form in known:
                return form
    return None


def _respell(word: str) -> str | None:
    """A key word of this subject that `word` misspells by one slip of the fingers, if there is exactly one."""
    lower = word.lower()
    if not 5 <= len(lower) <= 14 or not lower.isalpha() or not lower.isascii():
        return None
    found = _slips().get(lower)
    return found if found and lower not in known_words() else None


@lru_cache(maxsize=1)
def _slips() -> dict[str, str | None]:
    """Each one-slip misspelling (a letter dropped, doubled or swapped with its neighbor) of KEY_WORDS → the word; None if two share it."""
    slips: dict[str, str | None] = {}
    for word in KEY_WORDS:
        forms = {word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)}
        forms |= {word[:i] + word[i] + word[i:] for i in range(len(word))}
        forms |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
        for form in forms - {word}:
            slips[form] = word if slips.get(form, word) == word else None
    return slips


def _squeeze(word: str) -> str | None:
    known = known_words()
    if not re.search(r"(.)\1\1", word):
        return None
    lower = word.lower()
    for form in (re.sub(r"(.)\1{2,}", r"\1", lower), re.sub(r"(.)\1{2,}", r"\1\1", lower), re.sub(r"(.)\1+", r"\1", lower)):
        if form in known:
            return form
    return re.sub(r"(.)\1{2,}", r"\1\1", lower)


def _repair(text: str) -> str:
    """Restore spaced-out, dotted, leet, stretched and run-together words."""
    known = known_words()

    def join_spaced(match: re.Match[str]) -> str:
        # The commonest separator stands inside words; between spaced letters two spaces, and otherwise any other separator, end one.
        inside, _ = Counter(s.strip() for s in _SEPARATOR.findall(match[0])).most_common(1)[0]
        words = re.split(r"\s{2,}|\s*[/|]\s*", match[0]) if not inside else re.sub(rf"\s*{re.escape(inside)}\s*", "", match[0]).split()
        joined = [_SEPARATOR.sub("", w) for w in words]
        out: list[str] = []
        for word in joined:
            plain = _unleet(word) or word.lower()
            out.extend([plain] if plain in known else (segment(plain) or [word]))
        return " ".join(out)

    def join_dotted(match: re.Match[str]) -> str:
        joined = re.sub(r"[^a-z]", "", match[0].lower())
        parts = re.split(r"[^a-z]+", match[0].lower())
        if joined in known and len(joined) > 3 and not all(p in known and len(p) > 2 for p in parts):
            return joined
        return match[0]

    text = _SPACED.sub(join_spaced, text)
    text = _DOTTED.sub(join_dotted, text)
    budget, splits, leet = _REPAIR_WORDS, 30, 0

    def token(match: re.Match[str]) -> str:
        nonlocal budget, splits, leet
        edge = _EDGE.match(match[0])
        if edge is None or budget <= 0:
            return match[0]
        before, word, after = edge.groups()
        if word.lower() in known or len(word) < 3 or len(word) > 120:
            return match[0]
        budget -= 1
        fixed = _unleet(word)
        leet += fixed is not None
        fixed = fixed or _squeeze(word) or _respell(word)
        if fixed is None and splits and len(word) >= 14 and word.isalpha() and word.isascii():
            splits -= 1
            fixed = " ".join(segment(word)) or None
        if fixed is None and re.fullmatch(r"[A-Za-z]+(?:[_\-.*/+|][A-Za-z]+){2,}", word):
            fixed = re.sub(r"[_\-.*/+|]+", " ", word) if _known_share(re.sub(r"[_\-.*/+|]+", " ", word)) > 0.8 else None
        return before + (fixed or word) + after

    text = _TOKEN.sub(token, text)
    return _LEET_REST.sub(lambda m: _unleet(m[0]) or m[0].lower().translate(_LEET), text) if leet >= 3 else text


def _readable(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(text) < 5 or sum(c.isprintable() or c.isspace() for c in text) < 0.95 * len(text):
        return None
    foreign = sum(ord(c) > 0x2FF and c.isalpha() for c in text) > 0.5 * len(text)
    # Bytes that only look encoded hardly ever spell letters and spaces throughout, so a text in a language without a word list passes too.
    prose = " " in text and sum(c.isalpha() or c in " ,.?!'" for c in text) > 0.9 * len(text)
    return text if foreign or prose or _known_share(text) > 0.5 or text.strip().lower() in known_words() else None


def _pig(word: str) -> str | None:
    known = known_words()
    lower = word.lower()
    if not lower.endswith("ay") or len(lower) < 4:
        return None
    stem = lower[:-2]
    moved = len(stem) - len(stem.rstrip("bcdfghjklmnpqrstvwxz"))
    turned = [stem[-size:] + stem[:-size] for size in range(1, min(moved, 4) + 1) if size < len(stem)]
    whole = [stem[:-1]] if stem.endswith(("w", "y", "h")) else []
    if readings := [word for word in (*whole, *turned, stem) if word in known]:
        return min(readings, key=known.__getitem__)
    guesses = [*whole, *turned] if stem.endswith("w") else turned
    return guesses[0] if guesses else None


def _decodings(text: str) -> list[tuple[str, str]]:
    """(what was encoded, what it says) for each encoding found in `text`."""
    found: list[tuple[str, str]] = []
    for match in _BASE64.finditer(text):
        raw = re.sub(r"\s+", "", match[0]).rstrip("=").replace("-", "+").replace("_", "/")
        for candidate in (raw, match[0].split()[0].rstrip("=")):
            try:
                plain = _readable(base64.b64decode(candidate + "=" * (-len(candidate) % 4)))
            except (binascii.Error, ValueError):
                continue
            if plain:
                found.append((match[0], plain))
                break
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", match[0])
        if (plain := _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))) is not None:
            found.append((match[0], plain))
    for match in _BINARY.finditer(text):
        bits = re.sub(r"\D", "", match[0])
        data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))
        if (plain := _readable(data)) is not None:
            found.append((match[0], plain))
    for match in _DECIMAL.finditer(text):
        if (plain := _readable(bytes(int(n) for n in re.findall(r"\d+", match[0])))) is not None:
            found.append((match[0], plain))
    for match in _MORSE_RUN.finditer(text):
        signs = match[0].translate(str.maketrans("·–—_|", ".---/"))
        words = [[_MORSE.get(c, "") for c in w.split()] for w in re.split(r"\s*/\s*|\s{3,}", signs)]
        plain = " ".join("".join(w) for w in words)
        if _known_share(plain) > 0.5 or (segment(plain.replace(" ", "")) and len(plain) > 5):
            found.append((match[0], plain if _known_share(plain) > 0.5 else " ".join(segment(plain.replace(" ", "")))))
    for match in _ESCAPES.finditer(text):
        plain = urllib.parse.unquote(re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1] or m[2], 16)), match[0]))
        found.append((match[0], plain))
    return found


@lru_cache(maxsize=1)
def _bigrams() -> frozenset[tuple[str, ...]]:
    """The 800 commonest pairs of words of prompts/intents that hardly ever stand the other way round."""
    return frozenset(tuple(line.split()) for line in (Path(__file__).parent / "bigrams.txt").read_text(encoding="utf-8").splitlines())


def _natural(text: str) -> int:
    """How many pairs of words stand in their usual order: tells a text from its reverse."""
    words = re.findall(r"[a-z']+", text.lower())
    return sum(pair in _bigrams() for pair in itertools.pairwise(words))


def _ciphers(text: str) -> str | None:
    """Rot13, reversed or pig-latin words put right, when that makes a mostly unknown text known."""
    words = re.findall(r"[A-Za-z]{2,}", text)
    known = known_words()
    unknown = [w for w in words if w.lower() not in known]
    if len(unknown) < 2 or sum(map(len, unknown)) < 8:
        return None
    backwards = text[::-1]
    if _known_share(backwards) > max(0.75, _known_share(text) + 0.3):
        by_word = " ".join(reversed(backwards.split()))  # each word was reversed, not the whole
        return max(backwards, by_word, key=_natural)
    def reverse(word: str) -> str | None:
        return word[::-1].lower()

    def rot13(word: str) -> str | None:
        return codecs.encode(word, "rot13").lower()

    def atbash(word: str) -> str | None:
        return word.lower().translate(str.maketrans("abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba"))

    for turn in (rot13, reverse, _pig, atbash):
        hits = [w for w in unknown if (t := turn(w)) and t in known]
        if len(hits) >= 2 and sum(map(len, hits)) >= 0.6 * sum(map(len, unknown)) and any(len(w) >= 4 for w in hits):
            # Inside a run of enciphered words, short ones that happen to be English are enciphered too, and so are misspelt ones.
            def put_right(match: re.Match[str], turn: Callable[[str], str | None] = turn) -> str:
                turned = turn(match[0])
                return turned if turned and (turned in known or match[0].lower() not in known) else match[0]

            first, last = text.find(hits[0]), text.rfind(hits[-1]) + len(hits[-1])
            return text[:first] + re.sub(r"[A-Za-z]+", put_right, text[first:last]) + text[last:]
    return None


def normalize(message: str) -> Views:
    """The views of one message. Never raises; reads at most MAX_CHARS characters."""
    original = message[:MAX_CHARS]
    # Emoji and ligatures grow when they are spelled out; what is read stays bounded.
    text = fold(original)[: 2 * MAX_CHARS]
    if "&" in text:
        text = html.unescape(text)
    others: list[str] = []
    garbled = ""
    decoded = _decodings(text[:_DECODE_CHARS])
    for blob, plain in decoded:
        inner = _repair(fold(plain))
        others.append(_tidy(inner))
        text = text.replace(blob, " " + inner + " ")
    stripped = _MARKUP.sub(" ", text)
    if stripped != text:
        others.append(_tidy(re.sub(r"[<>*_`~]+", " ", text)))
    repaired = _repair(stripped)
    if (plain_text := _ciphers(repaired[:_DECODE_CHARS])) is not None:
        garbled = _tidy(repaired)
        repaired = plain_text
    canonical = _tidy(repaired)
    basic = _tidy(original)
    tampered = re.sub(r"\W+", "", canonical.lower()) != re.sub(r"\W+", "", unicodedata.normalize("NFKC", basic).lower())
    return Views(canonical, tuple(dict.fromkeys(o for o in others if o and o != canonical))[:6], tampered, garbled)


def _tidy(text: str) -> str:
    return " ".join(text.split())
