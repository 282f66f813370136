"""What every PiiDetector promises."""

import pytest

from application.ports.pii_detector import PiiDetector
from contracts.ports._base import PortContract
from domain.privacy.finding import Finding
from domain.privacy.kinds import ALL_KINDS, PiiKind

CORPUS = (
    "",
    "Please summarise the minutes of our meeting in three sentences, and keep the tone friendly.",
    "Write to anna.muster@example.com, or to bob+news@mail.example.co.uk; thanks.",
    "My card is 4111 1111 1111 1111 and expires in May. The other card is 5500005555555559.",
    "Send it to DE89370400440532013000 please. My IBAN is GB29NWBK60161331926819",
    "The server at 203.0.113.77 blocked us.\nThe visitor came from 2001:db8:0:1:f8a1:2b3c:4d5e:6f70 today.",
    "Call me at +49 30 901820 tomorrow.\nPhone: (212) 555-0143",
    "Nothing here: 3 apples, 2024-05-17, version 1.2.3, 10:30, 99.5 %, f(x) = x + 1, a@b, user@localhost.",
)
"""Short texts whose findings no detector of these kinds may read differently."""
CERTAIN = (
    ("Write to anna.muster@example.com, please.", PiiKind.EMAIL_ADDRESS, "anna.muster@example.com"),
    ("My card is 4111111111111111.", PiiKind.CREDIT_CARD, "4111111111111111"),
    ("My IBAN is GB29NWBK60161331926819.", PiiKind.IBAN_CODE, "GB29NWBK60161331926819"),
    ("The address 203.0.113.77 was blocked.", PiiKind.IP_ADDRESS, "203.0.113.77"),
    ("Phone: (212) 555-0143", PiiKind.PHONE_NUMBER, "(212) 555-0143"),
    ("My social security number is 536-90-4399.", PiiKind.US_SSN, "536-90-4399"),
)


def streamed(
    detector: PiiDetector, pieces: list[str], kinds: frozenset[PiiKind] = ALL_KINDS
) -> list[Finding]:
    """What a reader of a stream finds, as the port says to read it; positions in the whole text. Nothing but
    what the port promises is kept from one piece to the next."""
    found: list[Finding] = []
    kept = held = ""
    passed = 0
    for piece in pieces:
        text = kept + held + piece
        findings, closed = detector.scan(text, kinds, start=len(kept))
        assert len(kept) <= closed <= len(text)
        assert all(len(kept) <= each.start < each.end <= closed for each in findings)
        shift = passed - len(kept)
        found += [each._replace(start=each.start + shift, end=each.end + shift) for each in findings]
        passed += closed - len(kept)
        kept, held = text[:closed][-detector.context_chars :], text[closed:]
    shift = passed - len(kept)
    rest = detector.find(kept + held, kinds, start=len(kept))
    return found + [each._replace(start=each.start + shift, end=each.end + shift) for each in rest]


class PiiDetectorContract(PortContract):
    """Bind `detector`."""

    @pytest.fixture
    def detector(self) -> PiiDetector:
        raise NotImplementedError

    @pytest.mark.parametrize(("text", "kind", "value"), CERTAIN)
    def test_what_nobody_doubts_is_found_where_it_is(
        self, detector: PiiDetector, text: str, kind: PiiKind, value: str
    ) -> None:
        found = detector.find(text, ALL_KINDS)
        assert (kind, value) in [(each.kind, text[each.start : each.end]) for each in found]

    @pytest.mark.parametrize("text", CORPUS)
    def test_findings_are_in_order_without_overlap_and_within_the_text(
        self, detector: PiiDetector, text: str
    ) -> None:
        found = detector.find(text, ALL_KINDS)
        ends = [0, *(each.end for each in found)]
        assert all(end <= each.start < each.end for end, each in zip(ends, found, strict=False))
        assert all(each.end <= len(text) and 0 < each.score <= 1 for each in found)

    @pytest.mark.parametrize("text", CORPUS)
    def test_only_the_kinds_asked_for_are_found(self, detector: PiiDetector, text: str) -> None:
        kinds = frozenset({PiiKind.EMAIL_ADDRESS, PiiKind.IP_ADDRESS})
        assert {each.kind for each in detector.find(text, kinds)} <= kinds
        assert detector.find(text, frozenset()) == []

    def test_ordinary_text_holds_nothing(self, detector: PiiDetector) -> None:
        assert detector.find(CORPUS[1], ALL_KINDS) == []

    @pytest.mark.parametrize("text", CORPUS)
    def test_a_text_in_two_pieces_gives_what_the_whole_gives_wherever_it_is_cut(
        self, detector: PiiDetector, text: str
    ) -> None:
        whole = detector.find(text, ALL_KINDS)
        for place in range(len(text) + 1):
            assert streamed(detector, [text[:place], text[place:]]) == whole, place

    def test_a_text_character_by_character_gives_what_the_whole_gives(self, detector: PiiDetector) -> None:
        text = "\n".join(CORPUS[2:4])
        assert streamed(detector, list(text)) == detector.find(text, ALL_KINDS)

    def test_what_is_held_back_is_bounded(self, detector: PiiDetector) -> None:
        for unit in ("a", "4", "4444 ", "1.1.", "@", "-", "a@b.", "eyJ", "-----BEGIN PRIVATE KEY-----", "é"):
            text = unit * (2 * detector.hold_chars_max // len(unit))
            assert len(text) - detector.scan(text, ALL_KINDS).closed <= detector.hold_chars_max, unit

    def test_what_is_before_the_start_is_not_found_again(self, detector: PiiDetector) -> None:
        text = "a@example.com and b@example.org"
        found = detector.find(text, ALL_KINDS, start=14)
        assert [text[each.start : each.end] for each in found] == ["b@example.org"]

    def test_texts_that_nobody_would_write_do_no_harm(self, detector: PiiDetector) -> None:
        for text in (
            "\x00\x07",
            "\ud800 4111",
            "ß" * 90,
            "\u202e" * 40,
            "e\u0301" * 50,
            "漢字" * 300,
            "\u200b" * 99,
        ):
            assert detector.find(text, ALL_KINDS) == []
            assert 0 <= detector.scan(text, ALL_KINDS).closed <= len(text)
