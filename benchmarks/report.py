"""Tables out of measurements, as Markdown that also reads well in a terminal."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from benchmarks.in_flight import InFlight
from benchmarks.matrix import ClosedCell, OpenCell
from benchmarks.reconciliation import Verdict
from benchmarks.servers import DIRECT, LITELLM, PORTKEY, STRAIGHT, THROUGH_PORTKEY

ORDER = (STRAIGHT, DIRECT, THROUGH_PORTKEY, PORTKEY, LITELLM)
_MIB = 1024 * 1024


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, the first one to the left."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in
                  enumerate(zip(cells, widths, strict=True))]  # fmt: skip
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ("-" if not place else ":") for place, width in
                          enumerate(widths)) + "|"  # fmt: skip
    return "\n".join([line(lines[0]), rule, *(line(cells) for cells in lines[1:])])


def closed_tables(cells: Sequence[ClosedCell]) -> str:
    """Answers per second, then ratios, then CPU time per answer."""
    rows = _rows(cells)
    names = [name for name in ORDER if any(name in row for row in rows.values())]
    what = "streams" if cells and cells[0].kind == "streams" else "answers"
    parts = [f"Whole {what} per second (median of {len(cells[0].per_s)} rounds; callers that ask at once)"]
    parts.append(
        table(
            ["load", *names],
            [[label, *(_rate(row.get(name)) for name in names)] for label, row in rows.items()],
        )
    )
    parts.append("The same as ratios")
    pairs = [
        (f"{ours} : {theirs}", ours, theirs)
        for ours in (DIRECT, THROUGH_PORTKEY)
        for theirs in (LITELLM, PORTKEY)
        if ours in names and theirs in names
    ]
    parts.append(
        table(
            ["load", *(label for label, _, _ in pairs)],
            [[label, *(_ratio(row, a, b) for _, a, b in pairs)] for label, row in rows.items()],
        )
    )
    processes = [
        (name, part)
        for name in names
        for part in dict.fromkeys(p for row in rows.values() if name in row for p in row[name].cpu_us)
    ]
    heads = [name if part in name.split() and name != THROUGH_PORTKEY else f"{name}: {part}" for name, part in
             processes]  # fmt: skip
    parts.append("CPU time per answer in us, by process (user and system, all threads)")
    parts.append(
        table(
            ["load", *heads],
            [
                [label, *(_cpu(row.get(name), part) for name, part in processes)]
                for label, row in rows.items()
            ],
        )
    )
    failed = {f"{cell.contender} ({_label(cell)}): {cell.failed}" for cell in cells if cell.failed}
    parts.append("Not answered with 200: " + ("; ".join(sorted(failed)) if failed else "none") + ".")
    return "\n\n".join(parts)


def open_tables(cells: Sequence[OpenCell], *, first: bool = False) -> str:
    """Latency at a rate, and what each contender adds to the mock's own at the same percentile."""
    what = "Time to the first content" if first else "Latency"
    parts = [f"{what} in ms, from the moment a request was due; added = less straight to the mock, same rate"]
    body = []
    for rate in dict.fromkeys(cell.rate for cell in cells):
        row = {cell.contender: cell for cell in cells if cell.rate == rate and cell.rounds}
        base = row.get(STRAIGHT)
        for name in ORDER:
            cell = row.get(name)
            if cell is None or (name == STRAIGHT and base is None):
                continue
            values = [cell.latency_ms(place, first=first) for place in range(3)]
            if not cell.sustained:
                body.append([f"{rate:g}/s, {name}", "not kept up", "", "", "", "", ""])
                continue
            added = []
            for place, value in enumerate(values):
                straight = base.latency_ms(place, first=first) if base is not None else None
                added.append("" if None in (value, straight) or cell is base else f"{value - straight:+.2f}")  # type: ignore[operator]
            body.append([f"{rate:g}/s, {name}", *(_ms(value) for value in values), *added])
    parts.append(table(["rate, way", "p50", "p95", "p99", "added p50", "added p95", "added p99"], body))
    late = max((max(cell.late_p99_ms) for cell in cells if cell.late_p99_ms), default=0.0)
    parts.append(
        f"The generator itself sent its requests at most {late:.2f} ms late (p99, worst run); that is in "
        "every line alike."
    )
    return "\n\n".join(parts)


def memory_table(idle: dict[str, tuple[int, int]], loaded: dict[str, tuple[int, int]]) -> str:
    """Resident memory when just started and after all load."""
    rows = [
        [name, *(f"{value / _MIB:.0f}" for pair in (idle[name], loaded[name]) for value in pair)]
        for name in ORDER
        if name in idle and name in loaded
    ]
    head = ["resident MB", "started: all processes", "its largest", "after the load: all", "its largest"]
    return table(head, rows)


def in_flight_table(found: Sequence[InFlight]) -> str:
    """Thousands at once."""
    rows = [
        [
            f"{one.asked} {one.kind} at once",
            str(one.answered),
            str(one.failed),
            str(one.mock_peak),
            str(one.rows_ok),
            f"{one.p50_ms / 1e3:.2f}",
            f"{one.p99_ms / 1e3:.2f}",
            f"{one.rss_idle_bytes / _MIB:.0f}",
            f"{one.rss_peak_bytes / _MIB:.0f}",
        ]
        for one in found
    ]
    head = ["", "answered", "failed", "peak at the mocks", "rows", "p50 s", "p99 s", "MB before", "MB peak"]
    limit = f"\n\nFile limit of this machine: {found[0].file_limit} per process." if found else ""
    return table(head, rows) + limit


def reconciliation_table(verdicts: Sequence[Verdict]) -> str:
    """Rows against answers, cost against the bill."""
    rows = [
        [
            f"{one.contender}, {one.what}",
            str(one.seen.answered),
            str(one.seen.mock_unary + one.seen.mock_streams),
            f"{one.rows.ok} + {one.rows.cancelled}",
            str(one.rows.attempts),
            str(one.seen.bill_nano_usd),
            f"{one.rows.settled_nano_usd} + {one.rows.estimated_nano_usd}",
            "holds" if one.holds else "BROKEN",
        ]
        for one in verdicts
    ]
    head = ["", "answers seen", "answers of the mocks", "rows ok + left", "attempt rows"]
    head += ["the mocks' bill, nano-USD", "settled + estimated", "P8"]
    notes = [f"{one.contender}, {one.what}: {one.note}." for one in verdicts if one.note]
    return "\n\n".join([table(head, rows), *notes])


def stages_tables(found: dict[str, Any], http_cpu_us: float | None) -> str:
    """Where the time goes inside the process."""
    parts = []
    for kind, stages in found["stages"].items():
        ordered = sorted(stages.items(), key=lambda pair: -pair[1])
        what = "a request of 1 KB" if kind == "unary" else "a stream of 62 events"
        rows = [[name, f"{value:.1f}"] for name, value in ordered]
        rows.append(["all stages", f"{sum(stages.values()):.1f}"])
        parts.append(table([f"{what}, upstream answers at once", "us"], rows))
    cpu = [[what, f"{value:.1f}"] for what, value in found["cpu_us"].items()]
    inside = found["cpu_us"].get("unary, real transport")
    if inside is not None and http_cpu_us:
        cpu.append(
            ["transport (the difference)", f"{inside - found['cpu_us']['unary, instant upstream']:.1f}"]
        )
        cpu.append(["whole server over HTTP, 64 callers", f"{http_cpu_us:.1f}"])
        cpu.append(["HTTP server, workers' parent (the difference)", f"{http_cpu_us - inside:.1f}"])
    parts.append(table(["CPU time per request", "us"], cpu))
    return "\n\n".join(parts)


def headline(unary: Sequence[ClosedCell]) -> list[str]:
    """P1 in one line per comparison: the best cell of each at 1 KB."""
    best: dict[str, float] = {}
    for cell in unary:
        if cell.size == "1 KB":
            best[cell.contender] = max(best.get(cell.contender, 0.0), cell.rate)
    return [
        f"P1, best of each at 1 KB: Interchange direct {best[DIRECT]:.0f}/s = "
        f"{best[DIRECT] / best[other]:.1f} x {other} ({best[other]:.0f}/s)"
        for other in (LITELLM, PORTKEY)
        if DIRECT in best and best.get(other)
    ]


def spread(cells: Sequence[ClosedCell]) -> float:
    """How far apart the rounds of one cell lay, in the middle: (max - min) / median."""
    values = [(max(c.per_s) - min(c.per_s)) / c.rate for c in cells if len(c.per_s) > 1 and c.rate]
    return median(values) if values else 0.0


def _label(cell: ClosedCell) -> str:
    return f"{cell.size}, c{cell.concurrency}"


def _rows(cells: Sequence[ClosedCell]) -> dict[str, dict[str, ClosedCell]]:
    rows: dict[str, dict[str, ClosedCell]] = {}
    for cell in cells:
        rows.setdefault(_label(cell), {})[cell.contender] = cell
    return rows


def _rate(cell: ClosedCell | None) -> str:
    if cell is None:
        return ""
    return f"{cell.rate:.0f}" if cell.rate >= 100 else f"{cell.rate:.1f}"


def _ratio(row: dict[str, ClosedCell], ours: str, theirs: str) -> str:
    if ours not in row or theirs not in row or not row[theirs].rate:
        return ""
    return f"{row[ours].rate / row[theirs].rate:.2f} x"


def _cpu(cell: ClosedCell | None, part: str) -> str:
    values = cell.cpu_us.get(part) if cell is not None else None
    return f"{median(values):.0f}" if values else ""


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
