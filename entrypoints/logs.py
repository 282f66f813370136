"""Keeping personal data and secrets out of log lines, whoever wrote them."""

import logging
from typing import Final

from application.ports.pii_detector import PiiDetector
from domain.privacy.kinds import ALL_KINDS, PiiKind
from domain.privacy.placeholders import redaction

LOGGER: Final = "interchange"
KINDS: Final = ALL_KINDS - {PiiKind.IP_ADDRESS, PiiKind.MAC_ADDRESS}
"""Addresses of machines stay: an operator looks for them."""
LINE_CHARS_MAX: Final = 64 * 1024
_FORMATTER: Final = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Redacts messages and tracebacks. A line that cannot be read is not written as it was."""

    def __init__(self, detector: PiiDetector) -> None:
        super().__init__()
        self._detector = detector

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record through."""
        try:
            record.msg, record.args = self._redacted(record.getMessage()), None
            if record.exc_info:
                record.exc_text = self._redacted(_FORMATTER.formatException(record.exc_info))
        except Exception as error:  # noqa: BLE001 - a log line never fails who writes it
            record.msg, record.args = f"a log line could not be read ({type(error).__name__})", None
            record.exc_info = record.exc_text = None
        return True

    def _redacted(self, text: str) -> str:
        text = text[:LINE_CHARS_MAX]
        pieces: list[str] = []
        at = 0
        for finding in self._detector.find(text, KINDS):
            pieces += (text[at : finding.start], redaction(finding.kind))
            at = finding.end
        return "".join((*pieces, text[at:]))


def protect_logs(detector: PiiDetector) -> None:
    """Redacts everything that Interchange logs in this process from now on. Idempotent."""
    logger = logging.getLogger(LOGGER)
    for earlier in [each for each in logger.filters if isinstance(each, RedactingFilter)]:
        logger.removeFilter(earlier)
    logger.addFilter(RedactingFilter(detector))
