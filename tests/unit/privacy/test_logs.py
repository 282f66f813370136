"""Nothing personal and no secret is written to the log."""

import logging

import pytest

from adapters.privacy.detector import PatternDetector
from entrypoints.logs import LOGGER, RedactingFilter, protect_logs


def test_lines_and_tracebacks_are_redacted(caplog: pytest.LogCaptureFixture) -> None:
    protect_logs(PatternDetector())
    protect_logs(PatternDetector())
    log = logging.getLogger(LOGGER)
    assert sum(isinstance(each, RedactingFilter) for each in log.filters) == 1
    try:
        raise ValueError("for bob@example.com")
    except ValueError:
        log.exception("asked by %s from %s", "eve@example.com", "10.0.0.1")
    log.warning("100 %% of %d", 5)
    assert "asked by <EMAIL_ADDRESS> from 10.0.0.1" in caplog.text
    assert "ValueError: for <EMAIL_ADDRESS>" in caplog.text
    assert "100 % of 5" in caplog.text
    assert "@example.com" not in caplog.text


def test_a_line_that_cannot_be_formatted_is_said_to_be_so(caplog: pytest.LogCaptureFixture) -> None:
    protect_logs(PatternDetector())
    logging.getLogger(LOGGER).warning("%d", "bob@example.com")
    assert "could not be read" in caplog.text
    assert "bob" not in caplog.text
