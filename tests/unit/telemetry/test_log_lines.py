"""Log lines: their shape, what they know of a request, and what never stands in one."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.privacy.detector import PatternDetector
from application.log_context import CURRENT
from entrypoints.logs import (
    MESSAGE_CHARS_MAX,
    TRACEBACK_CHARS_MAX,
    JsonLines,
    TextLines,
    line_format,
    server_logging,
    start_logging,
)

EMAIL, CARD = "eve@example.com", "4111 1111 1111 1111"
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
OPENAI_KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SECRETS = (EMAIL, CARD, AWS_KEY, OPENAI_KEY, JWT)


@pytest.fixture(params=["json", "text"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def written(form: str) -> Iterator[io.StringIO]:
    """What a process writes whose logging was started."""
    root, own = logging.getLogger(), logging.getLogger("interchange")
    handlers, levels = list(root.handlers), (root.level, own.level)
    stream = io.StringIO()
    start_logging(form, "info", PatternDetector(), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class Said:
    """What shows a secret only when it is written out."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __str__(self) -> str:
        return f"said {self._secret}"

    def __repr__(self) -> str:
        return f"<Said {self._secret}>"


def _raise(secret: str) -> None:
    try:
        raise ValueError(f"inner {secret}")
    except ValueError as error:
        raise RuntimeError(f"outer {secret}") from error


def _exception(log: logging.Logger, secret: str) -> None:
    try:
        _raise(secret)
    except RuntimeError:
        log.exception("it failed for %s", secret)


PATTERNS: dict[str, Callable[[logging.Logger, str], None]] = {
    "message": lambda log, secret: log.warning("found " + secret),
    "argument": lambda log, secret: log.warning("found %s", secret),
    "named": lambda log, secret: log.warning("found %(it)s", {"it": secret}),
    "object": lambda log, secret: log.error("found %s", Said(secret)),
    "representation": lambda log, secret: log.error("found %r", {"key": [Said(secret)]}),
    "error": lambda log, secret: log.error("failed: %s", ValueError(secret)),
    "traceback": _exception,
    "stack": lambda log, secret: log.warning("where? %s", secret, stack_info=True),
    "field": lambda log, secret: log.warning("request", extra={"fields": {"model": secret}}),
    "two lines": lambda log, secret: log.warning("first\nsecond: %s", secret),
    "address": lambda log, secret: log.info("GET /v1/x?user=%s&y=1", secret),
    "bytes": lambda log, secret: log.warning("got %s", {"authorization": f"Bearer {secret}"}),
    "unreadable": lambda log, secret: log.warning("%d items", secret),
}


@pytest.mark.parametrize("name", ["interchange", "interchange.requests", "asyncio", "some.library"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_secret_is_written_however_it_comes(written: io.StringIO, pattern: str, name: str) -> None:
    for secret in SECRETS:
        PATTERNS[pattern](logging.getLogger(name), secret)

    text = written.getvalue()
    assert text or (pattern == "address" and not name.startswith("interchange"))
    for secret in SECRETS:
        assert secret not in text
        assert secret.replace(" ", "") not in text


@pytest.mark.parametrize("form", ["json"], indirect=True)
def test_a_line_is_one_object_with_what_is_known_of_the_request(written: io.StringIO) -> None:
    token = CURRENT.set(("req_7", "acme", "0af7651916cd43dd8448eb211c80319c"))
    try:
        logging.getLogger("interchange").warning("100 %% of %d\nis\u2028not enough", 5)
    finally:
        CURRENT.reset(token)
    logging.getLogger("interchange").info("beside requests")

    first, second = lines(written)
    assert first["message"] == "100 % of 5\nis\u2028not enough"
    assert (first["level"], first["logger"]) == ("warning", "interchange")
    assert first["time"].endswith("Z")
    assert (first["request_id"], first["tenant"]) == ("req_7", "acme")
    assert first["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert "request_id" not in second


@pytest.mark.parametrize("form", ["json"], indirect=True)
def test_long_lines_are_shortened_and_tracebacks_keep_their_end(written: io.StringIO) -> None:
    log = logging.getLogger("interchange")
    log.warning("x" * 10 * MESSAGE_CHARS_MAX)
    try:
        raise ValueError("long " * TRACEBACK_CHARS_MAX + "the end")
    except ValueError:
        log.exception("failed")

    first, second = lines(written)
    assert len(first["message"]) < MESSAGE_CHARS_MAX + 100
    assert len(second["exception"]) <= TRACEBACK_CHARS_MAX
    assert second["exception"].endswith("the end")


@pytest.mark.parametrize("form", ["text"], indirect=True)
def test_a_message_cannot_pretend_to_be_a_line_of_its_own(written: io.StringIO) -> None:
    logging.getLogger("interchange").warning(
        "asked for %s", "x\n2026-01-01T00:00:00Z ERROR: all is lost\x1b[2J"
    )

    assert written.getvalue().count("\n") == 1
    assert "\x1b" not in written.getvalue()


@pytest.mark.parametrize("form", ["text"], indirect=True)
def test_text_tells_fields_and_indents_tracebacks(written: io.StringIO) -> None:
    log = logging.getLogger("interchange")
    log.warning("request", extra={"fields": {"request_id": "req_7", "route": "for you", "status": 200}})
    _exception(log, "nobody")

    first, second, *rest = written.getvalue().splitlines()
    assert first.endswith('WARNING: request request_id=req_7 route="for you" status=200')
    assert second.endswith("ERROR: it failed for nobody")
    assert all(line.startswith("    ") for line in rest)


@given(st.text(), st.text())
def test_whatever_is_logged_a_line_comes_out(message: str, value: str) -> None:
    record = logging.LogRecord("interchange", logging.INFO, "", 0, "%s", (message,), None)
    record.fields = {"model": value}

    for formatter in (JsonLines(), TextLines()):
        text = formatter.format(record)
        assert "\n" not in text
        text.encode()
    assert json.loads(JsonLines().format(record))["model"] == value


@pytest.mark.parametrize("form", ["json"], indirect=True)
def test_libraries_speak_from_warnings_on_and_we_as_configured(written: io.StringIO) -> None:
    for name in ("interchange", "some.library"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "said")

    assert [(line["logger"], line["level"]) for line in lines(written)] == [
        ("interchange", "info"),
        ("interchange", "warning"),
        ("some.library", "warning"),
    ]


def test_lines_are_for_people_on_a_terminal_and_for_machines_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert line_format("auto", Terminal()) == "text"
    assert line_format("auto", io.StringIO()) == "json"
    assert line_format("json", Terminal()) == "json"


def test_the_web_servers_own_lines_look_like_all_others() -> None:
    made = server_logging("json")

    assert made["formatters"]["lines"] == {"()": "entrypoints.logs.make_formatter", "form": "json"}
    assert all(logger["handlers"] == ["lines"] for logger in made["loggers"].values())
