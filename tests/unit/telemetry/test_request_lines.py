"""One line per request, where it is wanted."""

import json
import logging

import pytest

from application.request_lines import RequestLines, RequestLineWish, fields_of
from tests.unit.tracing.events import event


async def noted(caplog: pytest.LogCaptureFixture, lines: RequestLines) -> list[str]:
    """What is written of a good, a refused, a cut and a failed request."""
    with caplog.at_level(logging.INFO, logger="interchange.requests"):
        for outcome in ("ok", "refused", "cut", "error"):
            lines.note(event(outcome=outcome))
        await lines.end()
    return [vars(record)["fields"]["outcome"] for record in caplog.records]


@pytest.mark.parametrize(
    ("wish", "share", "written"),
    [
        (RequestLineWish.ALL, 0.0, ["ok", "refused", "cut", "error"]),
        (RequestLineWish.ERRORS, 1.0, ["cut", "error"]),
        (RequestLineWish.SAMPLED, 0.0, ["cut", "error"]),
        (RequestLineWish.SAMPLED, 1.0, ["ok", "refused", "cut", "error"]),
    ],
)
async def test_requests_leave_the_lines_that_are_wished_for(
    caplog: pytest.LogCaptureFixture, wish: RequestLineWish, share: float, written: list[str]
) -> None:
    assert await noted(caplog, RequestLines(wish, share)) == written


async def test_failures_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    await noted(caplog, RequestLines(RequestLineWish.ALL, 1.0))

    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING", "WARNING"]


async def test_lines_without_a_place_are_dropped_and_counted() -> None:
    lines = RequestLines(RequestLineWish.ALL, 1.0, waiting_max=3)

    for _ in range(10):
        lines.note(event())

    assert lines.dropped == 7


def test_what_callers_write_themselves_stays_out_and_empty_fields_do_too() -> None:
    fields = fields_of(
        event(
            model_asked="my secret model", user_id="eve", agent_id="agent-of-eve", session_id="talk",
            client_request_id="theirs", metadata='{"a":"b"}', reason="why", error_code="",
        )
    )  # fmt: skip

    text = json.dumps(fields)
    for word in ("secret", "eve", "talk", "theirs", '"a"', "why", "error_code", "null"):
        assert word not in text
    assert fields["cost_nano_usd"] == 1_900
