"""Articles are split, marked and judged; the sample articles are judged as an editor would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from bot.build import current
from bot.retrieval.card import load_cards, parse_card
from bot.review import vet_report
from bot.review.article import ArticleError, Part, read, sentences
from bot.review.positions import load_positions
from bot.review.vet import Finding, Near, Report, Statements, conclude, judge, marks, vet_file
from bot.settings import ROOT, Settings
from tests.review.conftest import TODAY

ARTICLES = Path(__file__).parent / "articles"
POSITIONS = load_positions()


def part(text: str, **more: object) -> Part:
    return Part(text, 1, "claim", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("position", POSITIONS, ids=lambda p: p.id)
def test_a_position_trips_on_its_examples_only(position: object) -> None:
    from bot.review.positions import Position

    assert isinstance(position, Position)
    assert len(position.matches) >= 2
    assert len(position.spares) >= 2
    for sentence in position.matches:
        assert position.trips(sentence, "Ketamine is a drug.", "Ketamine"), sentence
    for sentence in position.spares:
        assert not position.trips(sentence), sentence


def test_positions_rest_on_cards_that_exist() -> None:
    cards = {p.stem for p in (ROOT / "knowledge" / "cards").rglob("*.md")}
    assert not {held for p in POSITIONS for held in p.holds} - cards


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Contact us to schedule your free consultation.", "selling"),
        ("Our team of specialists is waiting.", "selling"),
        ("You can order ketamine online with overnight shipping.", "sourcing"),
        ("No prescription needed.", "sourcing"),
        ("Ketamine is a game-changer.", "hype"),
        ("I am proud of my clients.", "self-promotion"),
        ("People take 50 mg of ketamine.", "amount"),
        ("Ketamine is guaranteed to help.", "absolute"),
        ("Studies show that ketamine helps.", "no citation"),
    ],
)
def test_marks(text: str, mark: str) -> None:
    assert mark in {name for name, _ in marks(part(text))}


@pytest.mark.parametrize(
    "text",
    [
        "Schedule an appointment with your doctor if worry lasts.",
        "Ketamine is not a cure.",
        "The FDA gave esketamine a breakthrough designation.",
        "Spravato is given in a certified clinic.",
        "There is no miracle treatment.",
    ],
)
def test_honest_lines_are_not_marked(text: str) -> None:
    assert not marks(part(text))


def test_a_cited_study_is_not_marked() -> None:
    assert not marks(part("One trial found no difference.", cited=True))


def test_sentences_survive_abbreviations() -> None:
    assert sentences("Dr. Lee of the U.S. group said so. It helped 3.5 of 10, e.g. Ann. “Did it?” Yes.") == [
        "Dr. Lee of the U.S. group said so.", "It helped 3.5 of 10, e.g. Ann.", "“Did it?”", "Yes."]


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    html = read(ARTICLES / "clinic.html")
    assert not any("cures everything" in p.text or "color:red" in p.text for p in html)
    assert next(p for p in html if p.text.startswith("It rewires")).section == "How does it work?"
    markdown = read(ARTICLES / "honest.md")
    assert next(p for p in markdown if p.text.startswith("In one trial")).cited
    assert not any("https://" in p.text for p in markdown)
    (tmp_path / "wrapped.txt").write_text("Ketamine is a drug that was made in the year 1962 by\nchemists. It blocks receptors.\n\nA heading\n\nMore text here now.\n")
    assert [p.text for p in read(tmp_path / "wrapped.txt")][:2] == ["Ketamine is a drug that was made in the year 1962 by chemists.", "It blocks receptors."]
    pdf = tmp_path / "a.pdf"
    pdf.write_bytes(_pdf("Ketamine is an anesthetic. It is used in surgery."))
    assert [p.text for p in read(pdf)] == ["Ketamine is an anesthetic.", "It is used in surgery."]


def _pdf(text: str) -> bytes:
    """The smallest PDF with a line of text."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
               b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream), b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(out)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("gone.txt", None, "no such file"), ("bad.pdf", b"%PDF-1.4 broken", "PDF"), ("image.txt", b"\x00\x01\x02" * 50, "not a text file"), ("empty.md", b"\n\n", "no text")])
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArticleError, match=words):
        read(tmp_path / name)


HELD = Statements((Near("Ketamine may harm the bladder of people who use it often.", "risks-bladder", "good-evidence", 0.0),), np.array([[1.0, 0.0]], dtype=np.float32))
CLOSE, FAR = np.array([1.0, 0.0], dtype=np.float32), np.array([0.1, 1.0], dtype=np.float32)


def test_verdicts() -> None:
    assert judge(part("Ketamine can harm the bladder."), CLOSE, HELD, ()).verdict == "in line"
    assert judge(part("Ketamine was named after a chemist."), FAR, HELD, ()).verdict == "not covered"
    assert judge(part("Ketamine may not harm the bladder of people who use it often."), CLOSE, HELD, ()).verdict == "against"
    assert judge(part("Ketamine eliminates bladder pain."), CLOSE, HELD, ()).verdict == "stronger"
    assert judge(part("Ketamine cures anxiety."), CLOSE, HELD, POSITIONS).verdict == "against"
    assert judge(part("Talk to your doctor about ketamine."), FAR, HELD, ()).verdict == "in line"
    assert judge(Part("Is ketamine safe?", 1, "question"), CLOSE, HELD, POSITIONS).verdict is None


def _finding(text: str, verdict: str | None, *names: str) -> Finding:
    return Finding(part(text), tuple((n, text) for n in names), verdict)  # type: ignore[arg-type]


def test_the_conclusion() -> None:
    good = [_finding(f"Claim {i}", "in line") for i in range(10)]
    assert conclude("a", good).fit == "cite"
    assert conclude("a", [*good, _finding("It works", "stronger")]).fit == "link"
    for name in ("selling", "sourcing", "amount"):
        assert conclude("a", [*good, _finding("Buy", None, name)]).fit == "no"
    assert conclude("a", [*good, *[_finding("No", "against")] * 3]).fit == "no"
    assert conclude("a", [_finding("Hello", None)]).fit == "no"


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    settings = Settings()
    if not current(settings).exists():
        pytest.skip("needs `lantern build`")
    return {p.name: vet_file(p, settings) for p in sorted(ARTICLES.iterdir()) if p.suffix != ".yaml"}


@pytest.mark.slow
def test_sample_articles_are_judged_as_an_editor_would(reports: dict[str, Report]) -> None:
    labels = yaml.safe_load((ARTICLES / "labels.yaml").read_text(encoding="utf-8"))
    tally: dict[str, list[bool]] = {"selling": [], "beyond": [], "fine": []}
    for name, groups in labels.items():
        for label, starts in groups.items():
            for start in starts:
                finding = next(f for f in reports[name].findings if f.part.text.startswith(start))
                tally[label].append(finding.promotional if label == "selling" else finding.flagged)
    share = {label: sum(hits) / len(hits) for label, hits in tally.items()}
    assert share["selling"] == 1.0
    assert share["beyond"] >= 0.9
    assert share["fine"] <= 0.1
    assert {name: r.fit for name, r in reports.items()} == {"honest.md": "cite", "clinic.html": "no", "vendor.txt": "no"}


@pytest.mark.slow
def test_reports_and_drafts(reports: dict[str, Report], tmp_path: Path) -> None:
    cards = load_cards(ROOT / "knowledge" / "cards")
    report = reports["vendor.txt"]
    text, html = vet_report.markdown(report, cards), vet_report.html(report, cards)
    assert text.startswith("# vendor.txt\n\n**Not to be used**")
    assert "how to get the drug" in text
    assert "We hold" in text
    assert "<script" not in html
    assert "http-equiv" in html
    assert "src=" not in html
    nasty = conclude("<b>x</b>.html", [Finding(part("<script>alert(1)</script>"), (), "not covered", (), (Near("We know other things.", "risks-bladder", "limited", 0.2),))])
    assert "<script>" not in vet_report.html(nasty, cards)
    written = vet_report.scaffold(nasty, cards, tmp_path / "drafts", TODAY)
    assert len(written) == 1
    assert vet_report.scaffold(nasty, cards, tmp_path / "drafts", TODAY) == []
    with pytest.raises(ValueError, match=r"no citation|at least 3"):
        parse_card(written[0].read_text(encoding="utf-8"), written[0])
