"""Microsoft Presidio as a detector, without a language model: the extra `presidio`.

Slower than our own by far and less exact on telephone numbers; for those who have to say that it was
Presidio. It reads each line by itself, so that a stream can be cut between lines.
"""

from collections.abc import Set
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from application.ports.pii_detector import Scanned
from domain.errors import StoreUnavailable
from domain.privacy.finding import Finding, resolved
from domain.privacy.kinds import PiiKind

LINE_CHARS_MAX: Final = 4_096
"""A longer line is read in parts."""
SCORE_MIN: Final = 0.4
"""What it is less certain of it finds nearly everywhere."""

_NAMES: Final = {
    kind.value: kind
    for kind in (
        *(
            PiiKind.EMAIL_ADDRESS,
            PiiKind.PHONE_NUMBER,
            PiiKind.CREDIT_CARD,
            PiiKind.IBAN_CODE,
            PiiKind.IP_ADDRESS,
        ),
        *(PiiKind.MAC_ADDRESS, PiiKind.CRYPTO, PiiKind.US_SSN, PiiKind.US_ITIN, PiiKind.UK_NHS),
    )
}


class PresidioDetector:
    """PiiDetector. Knows the kinds in English texts that Presidio has recognizers for without a model."""

    context_chars: int = 0
    hold_chars_max: int = LINE_CHARS_MAX

    def find(self, text: str, kinds: Set[PiiKind], start: int = 0) -> list[Finding]:
        entities = [name for name, kind in _NAMES.items() if kind in kinds]
        found: list[Finding] = []
        if not entities:
            return found
        for begin, end in _parts(text, start):
            found += self._read(text[begin:end], begin, entities)
        return found

    def scan(self, text: str, kinds: Set[PiiKind], start: int = 0) -> Scanned:
        closed = max(
            (end for begin, end in _parts(text, start) if _is_closed(text, begin, end)), default=start
        )
        return Scanned(self.find(text[:closed], kinds, start), closed)

    def _read(self, line: str, begin: int, entities: list[str]) -> list[Finding]:
        if not line.strip():
            return []
        results = _engine().analyze(line, language="en", entities=entities, score_threshold=SCORE_MIN)
        return [
            each._replace(start=each.start + begin, end=each.end + begin)
            for each in resolved(
                Finding(_NAMES[one.entity_type], one.start, one.end, min(1.0, float(one.score)))
                for one in results
                if one.start < one.end
            )
        ]


def _parts(text: str, start: int) -> list[tuple[int, int]]:
    """Lines with their ends, and of long ones parts of LINE_CHARS_MAX."""
    parts: list[tuple[int, int]] = []
    while start < len(text):
        newline = text.find("\n", start, start + LINE_CHARS_MAX)
        end = newline + 1 if newline >= 0 else min(len(text), start + LINE_CHARS_MAX)
        parts.append((start, end))
        start = end
    return parts


def _is_closed(text: str, begin: int, end: int) -> bool:
    return text[end - 1] == "\n" or end - begin == LINE_CHARS_MAX


@lru_cache(maxsize=1)
def _engine() -> Any:
    """Some 0.6 s and 150 MB, once. Raises StoreUnavailable: it is not installed."""
    try:
        analyzer = import_module("presidio_analyzer")
        engines = import_module("presidio_analyzer.nlp_engine")
        tldextract = import_module("tldextract")
    except ImportError as error:
        raise StoreUnavailable(
            "Presidio is not installed. Install the extra: pip install 'interchange[presidio]'"
        ) from error
    # Its recognizer of mail addresses would fetch a list of domains; the one in its package serves.
    vars(tldextract)["extract"] = tldextract.TLDExtract(suffix_list_urls=())
    engine = engines.NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}])
    return analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
