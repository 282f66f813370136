"""Log lines: one shape for all of them, and nothing personal and no secret in any, whoever wrote them."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from application.log_context import CURRENT
from application.ports.pii_detector import PiiDetector
from domain.privacy.kinds import ALL_KINDS, PiiKind
from domain.privacy.placeholders import redaction

LOGGER: Final = "interchange"
KINDS: Final = ALL_KINDS - {PiiKind.IP_ADDRESS, PiiKind.MAC_ADDRESS}
"""Addresses of machines stay: an operator looks for them."""
LINE_CHARS_MAX: Final = 64 * 1024
"""Of what is redacted at all."""
MESSAGE_CHARS_MAX: Final = 8 * 1024
TRACEBACK_CHARS_MAX: Final = 16 * 1024
"""Of a longer traceback the end is kept, which says what happened."""
_IDS: Final = frozenset({"request_id", "trace_id", "tenant", "key_id"})
"""Fields that are names of ours: digits in them are nobody's."""
_REDACTED: Final = "interchange_redacted"
_FORMATTER: Final = logging.Formatter()
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
_FORMS: Final = ("json", "text")


class RedactingFilter(logging.Filter):
    """Redacts messages, fields and tracebacks, each record once. A line that cannot be read is not written as
    it was."""

    def __init__(self, detector: PiiDetector) -> None:
        super().__init__()
        self._detector = detector

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record through."""
        if getattr(record, _REDACTED, False):
            return True
        try:
            record.msg, record.args = self._redacted(record.getMessage()), None
            if record.exc_info:
                record.exc_text = self._redacted(
                    _FORMATTER.formatException(record.exc_info)[-LINE_CHARS_MAX:]
                )
            if record.stack_info:
                record.stack_info = self._redacted(record.stack_info)
            fields = getattr(record, "fields", None)
            if fields:
                record.fields = self._redacted_fields(fields)
        except Exception as error:  # noqa: BLE001 - a log line never fails who writes it
            record.msg, record.args = f"a log line could not be read ({type(error).__name__})", None
            record.exc_info = record.exc_text = record.stack_info = None
            record.fields = {}
        setattr(record, _REDACTED, True)
        return True

    def _redacted(self, text: str) -> str:
        text = text[:LINE_CHARS_MAX]
        pieces: list[str] = []
        at = 0
        for finding in self._detector.find(text, KINDS):
            pieces += (text[at : finding.start], redaction(finding.kind))
            at = finding.end
        return "".join((*pieces, text[at:]))

    def _redacted_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        texts = [name for name, value in fields.items() if isinstance(value, str) and name not in _IDS]
        together = "\n".join(fields[name] for name in texts)
        if not self._detector.find(together[:LINE_CHARS_MAX], KINDS) and len(together) <= LINE_CHARS_MAX:
            return fields  # nearly all
        return {**fields, **{name: self._redacted(fields[name]) for name in texts}}


class JsonLines(logging.Formatter):
    """One JSON object per line: `time` (UTC), `level`, `logger`, `message`; `request_id`, `tenant` and
    `trace_id` where a request is known; `exception`; and what a line has besides."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _bounded(record.getMessage()),
            **_context(record),
        }
        traceback = _traceback(record)
        if traceback:
            said["exception"] = traceback
        # ASCII alone: half a character cannot be encoded, and some readers take U+2028 for an end of line.
        return json.dumps(said, default=str, separators=(",", ":"))


class TextLines(logging.Formatter):
    """For people: time, level, message, then `name=value` of what is known. A message is one line, whatever
    stands in it; a traceback follows on its own."""

    def format(self, record: logging.LogRecord) -> str:
        name = "" if record.name == LOGGER else f" {record.name}"
        told = "".join(f" {key}={_plain(value)}" for key, value in _context(record).items())
        message = _bounded(record.getMessage()).translate(_CONTROL)
        line = f"{_time(record)} {record.levelname}{name}: {message}{told}"
        traceback = _traceback(record)
        if traceback:
            indented = "\n".join(f"    {each.translate(_CONTROL)}" for each in traceback.splitlines())
            line = f"{line}\n{indented}"
        return line.encode("utf-8", "replace").decode()


def line_format(form: str, stream: TextIO) -> str:
    """`json` or `text`, where `auto` was wished for."""
    if form in _FORMS:
        return form
    return "text" if stream.isatty() else "json"


def make_formatter(form: str) -> logging.Formatter:
    """Of `json` or `text`. Named by the web server's own configuration of logging."""
    return JsonLines() if form == "json" else TextLines()


def protect_logs(detector: PiiDetector) -> None:
    """Redacts everything that Interchange logs in this process from now on. Idempotent."""
    _protect(logging.getLogger(LOGGER), detector)


def start_logging(form: str, level: str, detector: PiiDetector, stream: TextIO | None = None) -> None:
    """Lines of this whole process, libraries' too, in one shape on standard error, redacted last. Libraries
    speak up from warnings on."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(make_formatter(line_format(form, stream)))
    _protect(handler, detector)
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each.formatter, JsonLines | TextLines)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    own = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(own, logging.WARNING))
    logging.getLogger(LOGGER).setLevel(own)
    protect_logs(detector)


def server_logging(form: str) -> dict[str, Any]:
    """What the web server configures its own lines with, so that they look like all others."""
    handler = {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}
    quiet = {"handlers": ["lines"], "level": "WARNING", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "entrypoints.logs.make_formatter", "form": form}},
        "handlers": {"lines": handler},
        "loggers": {"_granian": quiet, "granian.access": dict(quiet)},
    }


def _protect(place: logging.Logger | logging.Handler, detector: PiiDetector) -> None:
    for earlier in [each for each in place.filters if isinstance(each, RedactingFilter)]:
        place.removeFilter(earlier)
    place.addFilter(RedactingFilter(detector))


def _context(record: logging.LogRecord) -> dict[str, Any]:
    """What is known of the request, then what the line brings itself."""
    known: dict[str, Any] = {}
    current = CURRENT.get()
    if current is not None:
        request_id, tenant_id, trace_id = current
        known = {"request_id": request_id, "tenant": tenant_id}
        if trace_id:
            known["trace_id"] = trace_id
    fields = getattr(record, "fields", None)
    return {**known, **fields} if fields else known


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_text and record.exc_info:
        record.exc_text = _FORMATTER.formatException(record.exc_info)
    parts = [part for part in (record.exc_text, record.stack_info) if part]
    return "\n".join(parts)[-TRACEBACK_CHARS_MAX:]


def _bounded(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS_MAX else f"{text[:MESSAGE_CHARS_MAX]}… ({len(text)} characters)"


def _plain(value: object) -> str:
    text = str(value).translate(_CONTROL)
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text
