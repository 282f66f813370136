"""Interchange, Portkey and LiteLLM side by side on this machine.

    python -m benchmarks.run [--quick] [--only unary,rates] [--rounds 3] [--seconds 1]

Starts everything on loopback, measures in interleaved rounds, checks the rows against the mocks' bill, ends
every process it started, and prints tables. They are kept in `.bench/report.md` and `.bench/report.json`.
Nothing is asserted but the rows: a broken reconciliation is exit status 1. LiteLLM and the Portkey gateway
are installed into `.bench` the first time; without network the run goes on without them and says so.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.dialects import dialect_pairs, dialects_table
from benchmarks.in_flight import in_flight
from benchmarks.load import missing_programs
from benchmarks.matrix import ClosedCell, closed_cells, memory, open_cells, warm_up
from benchmarks.processes import processor_model
from benchmarks.reconciliation import Ledger, Verdict, exact, whole_run
from benchmarks.servers import DIRECT, LITELLM, ROOT, THROUGH_PORTKEY, Servers, start_all, versions

SECTIONS = (
    "unary", "streams", "rates", "first-token", "rows", "in-flight", "dialects", "stages", "plan", "money",
)  # fmt: skip
WORK = ROOT / ".bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    sizes: Sequence[str]
    concurrencies: Sequence[int]
    stream_concurrencies: Sequence[int]
    rates: Sequence[float]
    stream_rates: Sequence[float]
    rounds: int
    seconds: int
    rate_seconds: float
    requests_at_once: int
    streams_at_once: int
    stage_requests: int
    dialect_concurrencies: tuple[int, ...]


FULL = Extent(
    sizes=("1 KB", "10 KB", "100 KB"),
    concurrencies=(1, 16, 64, 256),
    stream_concurrencies=(1, 16, 64, 256),
    rates=(50, 300, 1000),
    stream_rates=(10, 100),
    rounds=3,
    seconds=1,
    rate_seconds=3.0,
    requests_at_once=5000,
    streams_at_once=5000,
    stage_requests=6000,
    dialect_concurrencies=(16, 64),
)
QUICK = Extent(
    sizes=("1 KB",),
    concurrencies=(1, 64),
    stream_concurrencies=(16,),
    rates=(300,),
    stream_rates=(100,),
    rounds=1,
    seconds=1,
    rate_seconds=2.0,
    requests_at_once=1000,
    streams_at_once=0,
    stage_requests=2000,
    dialect_concurrencies=(16,),
)


@dataclass(slots=True)
class Outcome:
    """Finished parts of the report, in order, and everything as data."""

    parts: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, title: str, text: str) -> None:
        self.parts.append(f"## {title}\n\n{text}")
        print(f"\n## {title}\n\n{text}\n", flush=True)


def measure(extent: Extent, sections: Sequence[str]) -> Outcome:
    """Everything asked for, with all servers up at once; P5, stages and plans run alone afterwards."""
    outcome = Outcome()
    outcome.data["machine"], outcome.data["versions"] = processor_model(), {}
    unary: list[ClosedCell] = []
    if any(section in sections for section in SECTIONS[:5]):
        with ExitStack() as stack:
            print("Starting the mocks, Interchange twice, Portkey and LiteLLM ...", flush=True)
            servers = start_all(stack, WORK)
            for name, why in servers.absent.items():
                outcome.add(f"Without {name}", why)
            unary = _side_by_side(extent, sections, servers, outcome)
    if "in-flight" in sections:
        print("Many at once ...", flush=True)
        found = in_flight(WORK, requests=extent.requests_at_once, streams=extent.streams_at_once)
        outcome.add("Many at once (P5)", report.in_flight_table(found))
        outcome.data["in_flight"] = [asdict(one) for one in found]
    if "dialects" in sections:
        print("Every caller's dialect against every provider's ...", flush=True)
        pairs = dialect_pairs(
            WORK, concurrencies=extent.dialect_concurrencies, rounds=extent.rounds, seconds=extent.seconds
        )
        outcome.add("Dialects", dialects_table(pairs))
        outcome.data["dialects"] = [asdict(pair) for pair in pairs]
    if "stages" in sections:
        _stages(extent, outcome, unary)
    if "plan" in sections:
        command = [sys.executable, "-m", "benchmarks.plan", *(["--plans", "5000"] if extent is QUICK else [])]
        plans = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
        outcome.add("Plans over 2,330 targets (P4)", "```\n" + plans.stdout.rstrip() + "\n```")
    if "money" in sections:
        command = [
            sys.executable,
            "-m",
            "benchmarks.money",
            *(["--rounds", "5000"] if extent is QUICK else []),
        ]
        money = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True, cwd=ROOT)
        outcome.add("Holding and settling money (B4)", "```\n" + money.stdout.rstrip() + "\n```")
    outcome.data["versions"] = versions(WORK)
    return outcome


def _side_by_side(
    extent: Extent, sections: Sequence[str], servers: Servers, outcome: Outcome
) -> list[ClosedCell]:
    ledger = Ledger(servers.unary_mock, servers.stream_url)
    for contender in servers.contenders.values():
        ledger.start(contender)
    idle = memory(servers)
    warm_up(servers, ledger)
    unary: list[ClosedCell] = []
    if "unary" in sections:
        unary = closed_cells(
            servers,
            ledger,
            kind="unary",
            sizes=extent.sizes,
            concurrencies=extent.concurrencies,
            rounds=extent.rounds,
            seconds=extent.seconds,
        )
        text = "\n\n".join([*report.headline(unary), report.closed_tables(unary)])
        outcome.add("Unary answers (P1)", f"{text}\n\nSpread of rounds: {report.spread(unary):.0%}.")
    if "streams" in sections:
        streams = closed_cells(
            servers,
            ledger,
            kind="streams",
            sizes=("1 KB",),
            concurrencies=extent.stream_concurrencies,
            rounds=extent.rounds,
            seconds=extent.seconds,
        )
        streams += closed_cells(
            servers,
            ledger,
            kind="streams",
            sizes=extent.sizes[1:],
            concurrencies=(16,),
            rounds=extent.rounds,
            seconds=extent.seconds,
        )
        outcome.add("Streams of 62 events, each written on its own", report.closed_tables(streams))
        outcome.data["streams"] = [asdict(cell) for cell in streams]
    outcome.data["unary"] = [asdict(cell) for cell in unary]
    _at_rates(extent, sections, servers, ledger, outcome)
    if idle:
        outcome.add("Memory", report.memory_table(idle, memory(servers)))
    if "rows" in sections:
        ours = [servers.contenders[name] for name in (DIRECT, THROUGH_PORTKEY) if name in servers.contenders]
        outcome.verdicts += [whole_run(contender, ledger) for contender in ours]
        outcome.verdicts += [exact(contender, ledger, seconds=2.0) for contender in ours]
        outcome.add("Rows and bill (P8)", report.reconciliation_table(outcome.verdicts))
        outcome.data["rows"] = [
            {**one._asdict(), "seen": asdict(one.seen), "rows": one.rows._asdict()}
            for one in outcome.verdicts
        ]
    return unary


def _at_rates(
    extent: Extent, sections: Sequence[str], servers: Servers, ledger: Ledger, outcome: Outcome
) -> None:
    # What cannot do a rate by far would only fill the machine with its backlog.
    hopeless = [(LITELLM, rate) for rate in (300, 1000)] + [(LITELLM, 100)]
    for section, kind, rates, title in (
        ("rates", "unary", extent.rates, "Added latency at a rate (P2)"),
        ("first-token", "streams", extent.stream_rates, "First token of streams at a rate"),
    ):
        if section in sections:
            cells = open_cells(
                servers,
                ledger,
                kind=kind,
                rates=rates,
                rounds=extent.rounds,
                seconds=extent.rate_seconds,
                skip=hopeless,
            )
            text = report.open_tables(cells, first=kind == "streams")
            outcome.add(title, f"{text}\n\nLiteLLM is asked only at rates it can keep up with.")
            outcome.data[section] = [asdict(cell) for cell in cells]


def _stages(extent: Extent, outcome: Outcome, unary: Sequence[ClosedCell]) -> None:
    from benchmarks.mock.nginx_mock import NginxMock

    with NginxMock() as mock:
        command = [sys.executable, "-m", "benchmarks.stages", "--json", "--mock", mock.url]
        done = subprocess.run(
            [*command, "--requests", str(extent.stage_requests)],
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
            cwd=ROOT,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    served = [c for c in unary if c.contender == DIRECT and c.size == "1 KB" and c.concurrency == 64]
    over_http = served[0].cpu_us_in_all if served else None
    outcome.add("Inside the process", report.stages_tables(found, over_http))
    outcome.data["stages"] = found


def fresh_work_folder() -> None:
    """Keeps what was installed, removes what earlier runs recorded."""
    WORK.mkdir(exist_ok=True)
    for old in WORK.glob("interchange-*"):
        shutil.rmtree(old)


def chosen_extent(options: argparse.Namespace) -> Extent:
    """The extent with what the caller changed."""
    extent = QUICK if options.quick else FULL
    changes: dict[str, Any] = {
        name: getattr(options, name) for name in ("rounds", "seconds") if getattr(options, name) is not None
    }
    fields: dict[str, Any] = {name: getattr(extent, name) for name in Extent.__dataclass_fields__}
    return extent if not changes else Extent(**(fields | changes))


def main(argv: Sequence[str] | None = None) -> int:
    """0 when everything ran and the rows agree with the bill."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--only", default=",".join(SECTIONS), help="of " + ", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="of each closed loop")
    options = parser.parse_args(argv)
    sections = options.only.split(",")
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if missing := missing_programs():
        names = " ".join("nginx-light" if name == "nginx" else name for name in missing)
        print(f"Needed and not here: {', '.join(missing)}. On Debian and Ubuntu: apt-get install -y {names}")
        return 2
    stop: Callable[[int, Any], None] = lambda number, _: sys.exit(128 + number)  # noqa: E731
    signal.signal(signal.SIGTERM, stop)
    fresh_work_folder()
    began, load_before = time.monotonic(), os.getloadavg()[0]
    outcome = measure(chosen_extent(options), sections)
    took = f"{processor_model()}; {', '.join(f'{k} {v}' for k, v in outcome.data['versions'].items())}"
    took += f"; load before the start {load_before:.1f}"
    head = f"# Benchmark\n\n{took}; {time.monotonic() - began:.0f} s."
    (WORK / "report.md").write_text("\n\n".join([head, *outcome.parts]) + "\n")
    (WORK / "report.json").write_text(json.dumps(outcome.data, indent=1))
    print(f"{took}. Kept in {Path(WORK.name)}/report.md and report.json.")
    return 0 if all(verdict.holds for verdict in outcome.verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
