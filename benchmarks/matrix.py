"""The measurements side by side: closed loops, open loops and first tokens, in interleaved rounds.

Every round visits all contenders before the next one begins (A B C, A B C), so that a machine that drifts
drifts for all of them. After each visit we wait until the contender has nothing left to do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median

from benchmarks.load import closed_loop, generated
from benchmarks.processes import usage_of, wait_until_quiet
from benchmarks.reconciliation import Ledger
from benchmarks.servers import STRAIGHT, Contender, Servers
from benchmarks.shots import BODY_SIZES_BYTES

SUSTAINED_SHARE = 0.99
"""Below this share of due requests answered, a rate was not kept up and its latencies mean nothing."""

VISIT_MAX_S = 8
WAIT_MAX_S = 6.0
SLOW_RATE = 50
"""Per second. Up to it runs are kept short, and their p99 is one of a few samples."""


@dataclass(slots=True, kw_only=True)
class ClosedCell:
    """One contender under one load; a list has one entry per round."""

    kind: str
    size: str
    concurrency: int
    contender: str
    per_s: list[float] = field(default_factory=list)
    failed: int = 0
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    """Of CPU time per answer, by process."""

    @property
    def rate(self) -> float:
        return median(self.per_s) if self.per_s else 0.0

    @property
    def cpu_us_in_all(self) -> float:
        return sum(median(values) for values in self.cpu_us.values() if values)


@dataclass(slots=True, kw_only=True)
class OpenCell:
    """One contender at one rate; percentiles are p50, p95, p99, p99.9, max, one list per round."""

    kind: str
    rate: float
    contender: str
    rounds: list[list[float]] = field(default_factory=list)
    first_content: list[list[float]] = field(default_factory=list)
    answered_share: list[float] = field(default_factory=list)
    late_p99_ms: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def sustained(self) -> bool:
        return bool(self.answered_share) and median(self.answered_share) >= SUSTAINED_SHARE

    def latency_ms(self, place: int, *, first: bool = False) -> float | None:
        """The median over rounds of one percentile; `place` 0 is p50, 1 p95, 2 p99."""
        values = [one[place] for one in (self.first_content if first else self.rounds) if one]
        return median(values) if values else None


def closed_cells(
    servers: Servers,
    ledger: Ledger,
    *,
    kind: str,
    sizes: Sequence[str],
    concurrencies: Sequence[int],
    rounds: int,
    seconds: int,
) -> list[ClosedCell]:
    """wrk against everyone, for each size and concurrency.

    Slow contenders work on all waiting requests in turn and answer them all at once: they are visited long
    enough for two such waves, and left out where a single answer would take longer than `WAIT_MAX_S`.
    """
    cells: list[ClosedCell] = []
    paces: dict[str, float] = {}
    for size in sizes:
        for concurrency in concurrencies:
            row = {
                name: ClosedCell(kind=kind, size=size, concurrency=concurrency, contender=name)
                for name in servers.contenders
                if concurrency / paces.get(name, concurrency) <= WAIT_MAX_S
            }
            for _ in range(rounds):
                for name, cell in row.items():
                    wanted = 2 * concurrency / paces.get(name, concurrency)
                    length_s = max(seconds, min(VISIT_MAX_S, ceil(wanted)) if name in paces else seconds)
                    _visit(cell, servers.contenders[name], ledger, length_s)
            paces |= {name: cell.rate for name, cell in row.items() if cell.rate}
            cells += row.values()
            _tell(kind, size, concurrency, row.values())
    return cells


def _visit(cell: ClosedCell, contender: Contender, ledger: Ledger, seconds: int) -> None:
    stream = cell.kind == "streams"
    parts = contender.pids()
    shot = contender.shot(BODY_SIZES_BYTES[cell.size], stream)
    before = {part: usage_of(pids).cpu_s for part, pids in parts.items()}
    with ledger.watching(contender, stream=stream) as seen:
        run = closed_loop(shot, concurrency=cell.concurrency, seconds=seconds)
        after = {part: usage_of(pids).cpu_s for part, pids in parts.items()}
        seen.answered += run.answered
        seen.failed += run.failed
    cell.per_s.append(run.per_s)
    cell.failed += run.failed
    cell.p50_ms.append(run.p50_ms)
    cell.p99_ms.append(run.p99_ms)
    for part, used in after.items():
        if run.answered:
            cell.cpu_us.setdefault(part, []).append((used - before[part]) / run.answered * 1e6)


def open_cells(
    servers: Servers,
    ledger: Ledger,
    *,
    kind: str,
    rates: Sequence[float],
    rounds: int,
    seconds: float,
    skip: Iterable[tuple[str, float]] = (),
) -> list[OpenCell]:
    """Requests at a fixed rate, whatever the answers do. A contender that cannot keep up is visited once."""
    cells: list[OpenCell] = []
    skipped = set(skip)
    for rate in rates:
        row = {name: OpenCell(kind=kind, rate=rate, contender=name) for name in servers.contenders}
        for number in range(rounds):
            for name, contender in servers.contenders.items():
                cell = row[name]
                if (name, rate) in skipped or (number and not cell.sustained):
                    continue
                stream = kind == "streams"
                length_s = seconds if rate > SLOW_RATE else min(seconds, 2.0)
                with ledger.watching(contender, stream=stream) as seen:
                    result = generated(
                        [contender.shot(1024, stream)], rate=rate, seconds=length_s, warm_up=32, drain_s=5.0
                    )
                    seen.answered += result.answered
                    seen.failed += result.refused
                cell.rounds.append(result.latency_ms)
                cell.first_content.append(result.first_content_ms)
                # What came after its time came too late: a queue that only grows is no kept rate.
                kept = result.sent and result.latency_ms and result.latency_ms[1] < length_s * 250
                cell.answered_share.append(result.answered / (rate * length_s) if kept else 0.0)
                cell.late_p99_ms.append(result.late_ms[2] if result.late_ms else 0.0)
                cell.failed += result.refused + result.broken + result.unanswered
        cells += row.values()
        told = ", ".join(
            f"{cell.contender} {cell.latency_ms(0) or 0:.2f}/{cell.latency_ms(2) or 0:.2f}"
            for cell in row.values()
            if cell.rounds
        )
        print(f"  {kind} at {rate:g}/s, p50/p99 ms: {told}", flush=True)
    return cells


def warm_up(servers: Servers, ledger: Ledger) -> None:
    """Lets every contender compile, connect and fill its pools before anything counts."""
    for contender in servers.contenders.values():
        for stream in (False, True):
            with ledger.watching(contender, stream=stream) as seen:
                run = closed_loop(contender.shot(1024, stream), concurrency=32, seconds=1)
                seen.answered += run.answered


def memory(servers: Servers) -> dict[str, tuple[int, int]]:
    """Resident bytes of all processes of a contender together, and of its largest."""
    found = {}
    for name, contender in servers.contenders.items():
        if name != STRAIGHT:
            wait_until_quiet(contender.all_pids())
            usage = usage_of(contender.all_pids())
            found[name] = (usage.rss_bytes, usage.busiest_rss_bytes)
    return found


def _tell(kind: str, size: str, concurrency: int, cells: Iterable[ClosedCell]) -> None:
    told = ", ".join(f"{cell.contender} {cell.rate:.0f}" for cell in cells)
    print(f"  {kind} {size} c{concurrency}, answers/s: {told}", flush=True)
