"""Do the rows tell the truth? What Interchange recorded against what the mocks answered (SPEC P8).

The mocks count and price by their own arithmetic; nothing here uses Interchange's code.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import generated
from benchmarks.mock.canned import INPUT_TOKENS, STREAM_OUTPUT_TOKENS, UNARY_OUTPUT_TOKENS, MockPrice
from benchmarks.mock.nginx_mock import NginxMock
from benchmarks.processes import wait_until_quiet
from benchmarks.servers import INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK, Contender

PRICE = MockPrice(Decimal(INPUT_USD_PER_MTOK), Decimal(OUTPUT_USD_PER_MTOK))
_SETTLE_S = 30.0


@dataclass(slots=True)
class Seen:
    """What was counted outside of Interchange."""

    answered: int = 0
    """Whole answers that reached the load generator."""
    failed: int = 0
    """Answers with an error that reached it."""
    mock_unary: int = 0
    mock_streams: int = 0
    mock_cut: int = 0
    """Streams whose caller left before their end."""

    @property
    def bill_nano_usd(self) -> int:
        """What the mocks charge for whole answers."""
        return self.mock_unary * PRICE.cost_nano_usd(
            INPUT_TOKENS, UNARY_OUTPUT_TOKENS
        ) + self.mock_streams * PRICE.cost_nano_usd(INPUT_TOKENS, STREAM_OUTPUT_TOKENS)


class Rows(NamedTuple):
    """What stands in the database of one Interchange."""

    requests: int
    ok: int
    cancelled: int
    attempts: int
    settled_nano_usd: int
    """Of attempts whose cost is not an estimate."""
    estimated_nano_usd: int

    def since(self, earlier: "Rows") -> "Rows":
        return Rows(*(now - then for now, then in zip(self, earlier, strict=True)))


class Ledger:
    """Keeps, for every contender with rows, what the mocks answered while it was visited."""

    def __init__(self, unary_mock: NginxMock, stream_url: str) -> None:
        self._unary_mock = unary_mock
        self._stream_url = stream_url
        self.seen: dict[str, Seen] = {}
        self._baselines: dict[str, Rows] = {}

    def start(self, contender: Contender) -> None:
        """From here on its rows count."""
        if contender.data_dir is not None:
            wait_until_quiet(contender.all_pids())
            self._baselines[contender.name] = settled_rows(contender.data_dir)
            self.seen[contender.name] = Seen()

    @contextmanager
    def watching(self, contender: Contender, *, stream: bool) -> Iterator[Seen]:
        """Counts what the mocks answer meanwhile; ends when the contender has nothing left to do."""
        seen = self.seen.get(contender.name)
        if seen is None:
            yield Seen()
            wait_until_quiet(contender.all_pids())
            return
        before = self._mock_counts(stream)
        yield seen
        wait_until_quiet(contender.all_pids())
        whole, cut = (now - then for now, then in zip(self._mock_counts(stream), before, strict=True))
        if stream:
            seen.mock_streams += whole
            seen.mock_cut += cut
        else:
            seen.mock_unary += whole - 1  # the reading itself is one

    def _mock_counts(self, stream: bool) -> tuple[int, int]:
        if not stream:
            return self._unary_mock.reading().requests, 0
        bill = stream_bill(self._stream_url)
        return bill["streams"], bill["cut"]

    def rows_since_start(self, contender: Contender) -> Rows:
        """What was recorded since `start`, once no more rows arrive."""
        assert contender.data_dir is not None
        return settled_rows(contender.data_dir).since(self._baselines[contender.name])


class Verdict(NamedTuple):
    """One comparison of rows with the outside."""

    contender: str
    what: str
    seen: Seen
    rows: Rows
    holds: bool
    note: str


def stream_bill(url: str) -> dict[str, int]:
    """The stream mock's own count."""
    host, _, port = url.removeprefix("http://").partition(":")
    with closing(HTTPConnection(host, int(port), timeout=10)) as connection:
        connection.request("GET", "/mock/bill")
        bill: dict[str, int] = json.loads(connection.getresponse().read())
    return bill


def settled_rows(data_dir: Path) -> Rows:
    """The rows, read again until two readings half a second apart agree."""
    give_up_at = time.monotonic() + _SETTLE_S
    rows = _rows(data_dir)
    while time.monotonic() < give_up_at:
        time.sleep(0.5)
        again = _rows(data_dir)
        if again == rows:
            break
        rows = again
    return rows


def _rows(data_dir: Path) -> Rows:
    with closing(sqlite3.connect(f"file:{data_dir / 'interchange.db'}?mode=ro", uri=True)) as database:
        requests, ok, cancelled = database.execute(
            "SELECT count(*), coalesce(sum(outcome = 'ok'), 0), coalesce(sum(outcome = 'cancelled'), 0) "
            "FROM usage_requests"
        ).fetchone()
        attempts, settled, estimated = database.execute(
            "SELECT count(*), coalesce(sum(CASE WHEN estimated THEN 0 ELSE cost_nano_usd END), 0), "
            "coalesce(sum(CASE WHEN estimated THEN cost_nano_usd ELSE 0 END), 0) FROM usage_attempts"
        ).fetchone()
    return Rows(requests, ok, cancelled, attempts, settled, estimated)


def exact(contender: Contender, mocks: Ledger, *, seconds: float) -> Verdict:
    """A load whose every request is waited for: each number must agree with each other, to the unit."""
    assert contender.data_dir is not None
    own = Ledger(mocks._unary_mock, mocks._stream_url)  # noqa: SLF001 - a second book on the same mocks
    own.start(contender)
    for stream, concurrency in ((False, 64), (True, 16)):
        with own.watching(contender, stream=stream) as seen:
            result = generated(
                [contender.shot(1024, stream)], concurrency=concurrency, seconds=seconds, drain_s=20.0
            )
            seen.answered += result.answered
            lost = result.refused + result.broken + result.unanswered
    seen, rows = own.seen[contender.name], own.rows_since_start(contender)
    mocked = seen.mock_unary + seen.mock_streams
    counts = {seen.answered, rows.requests, rows.ok, rows.attempts, mocked}
    same_cost = rows.settled_nano_usd == seen.bill_nano_usd and rows.estimated_nano_usd == 0
    note = "" if not lost else f"{lost} requests were not answered with 200"
    return Verdict(
        contender.name, "drained load", seen, rows, len(counts) == 1 and same_cost and not lost, note
    )


def whole_run(contender: Contender, ledger: Ledger) -> Verdict:
    """Everything since the start. wrk hangs up on what is in flight when its time is over, so callers may
    have left; nothing may be missing: every answer seen has an `ok` row, every answer of the mocks an
    attempt row, and what is settled is not more than the bill. What is estimated for the callers that left
    should cover the rest of the bill; the note says whether it does."""
    seen, rows = ledger.seen[contender.name], ledger.rows_since_start(contender)
    mocked = seen.mock_unary + seen.mock_streams
    holds = (
        rows.requests - rows.ok - rows.cancelled <= seen.failed
        and rows.ok >= seen.answered
        and rows.attempts >= mocked
        and rows.settled_nano_usd <= seen.bill_nano_usd
    )
    return Verdict(contender.name, "whole run", seen, rows, holds, _left_note(seen, rows))


def _left_note(seen: Seen, rows: Rows) -> str:
    if not rows.cancelled:
        return ""
    unsettled = seen.bill_nano_usd - rows.settled_nano_usd
    covers = "which covers" if rows.estimated_nano_usd >= unsettled else "which does NOT cover"
    return (
        f"{rows.cancelled} callers left when their load run ended; estimated for them: "
        f"{rows.estimated_nano_usd} nano-USD, {covers} the {unsettled} the mocks billed"
    )
