"""Many requests at once: thousands wait for slow answers, then thousands of streams are open (SPEC P5)."""

import resource
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import generated
from benchmarks.processes import usage_of, wait_until_quiet
from benchmarks.reconciliation import Rows, settled_rows, stream_bill
from benchmarks.servers import interchange_shot, start_interchange, start_stream_mock

ANSWER_AFTER_MS = 3000
EVENT_EVERY_MS = 300
"""62 events: a stream takes 18.6 s when nobody is late."""


@dataclass(slots=True, kw_only=True)
class InFlight:
    """What became of so many requests at once."""

    kind: str
    asked: int
    answered: int
    failed: int
    caller_peak: int
    mock_peak: int
    """Most at once at the mocks, all of them together."""
    p50_ms: float
    p99_ms: float
    rss_idle_bytes: int
    rss_peak_bytes: int
    rows_ok: int
    file_limit: int
    seconds: float


def in_flight(work: Path, *, requests: int, streams: int) -> list[InFlight]:
    """Runs an Interchange of its own, with two providers: one endpoint gets at most 4,096 connections."""
    found = []
    with ExitStack() as stack:
        slow = [start_stream_mock(stack, work, "--delay-ms", str(ANSWER_AFTER_MS)) for _ in range(2)]
        paced = [start_stream_mock(stack, work, "--event-ms", str(EVENT_EVERY_MS)) for _ in range(2)]
        providers = {
            f"{kind}{number}": (url, "direct")
            for kind, urls in (("slow", slow), ("paced", paced))
            for number, url in enumerate(urls)
        }
        at_once = max(requests, streams)
        url, key, running = start_interchange(
            stack,
            work,
            "interchange-in-flight",
            providers,
            limits={"MAX_CONCURRENT_REQUESTS": str(at_once + 100)},
        )
        data_dir = work / "interchange-in-flight" / "data"
        for kind, mocks, count in (("requests", slow, requests), ("streams", paced, streams)):
            if not count:
                continue
            stream = kind == "streams"
            names = [f"{'paced' if stream else 'slow'}{number}" for number in range(2)]
            shots = [interchange_shot(url, key, name, 1024, stream) for name in names]
            idle = usage_of(running.pids()).rss_bytes
            peak = idle

            def sample() -> None:
                nonlocal peak
                peak = max(peak, usage_of(running.pids()).rss_bytes)

            before = settled_rows(data_dir)
            result = generated(
                shots,
                concurrency=count,
                count_max=count,
                connections_max=count,
                seconds=60.0,
                drain_s=10.0,
                meanwhile=sample,
            )
            wait_until_quiet(running.pids())
            rows: Rows = settled_rows(data_dir).since(before)
            latency = result.latency_ms or [0.0] * 5
            found.append(
                InFlight(
                    kind=kind,
                    asked=count,
                    answered=result.answered,
                    failed=result.refused + result.broken + result.unanswered,
                    caller_peak=result.in_flight_peak,
                    mock_peak=sum(stream_bill(mock)["in_flight_peak"] for mock in mocks),
                    p50_ms=latency[0],
                    p99_ms=latency[2],
                    rss_idle_bytes=idle,
                    rss_peak_bytes=peak,
                    rows_ok=rows.ok,
                    file_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
                    seconds=result.seconds,
                )
            )
    return found
