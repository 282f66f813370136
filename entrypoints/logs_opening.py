"""Starts the log lines of a serving process. A part of the composition root: it names adapters."""

from adapters.privacy.detector import PatternDetector
from entrypoints.logs import start_logging
from entrypoints.settings import Settings


def open_logs(settings: Settings) -> None:
    """From now on lines look as they are configured; what went before was the interpreter's own."""
    start_logging(settings.logs.format, settings.logs.level, PatternDetector())
