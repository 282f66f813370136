"""`interchange usage`, `report` and `reconcile` against rows in memory."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from adapters.memory.system import SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_rows import InMemoryUsageRows
from adapters.tables.formats import KnownTableFormats
from application.use_cases.export_usage import ExportUsage
from application.use_cases.find_anomalies import FindAnomalies
from application.use_cases.forecast_usage import ForecastUsage
from application.use_cases.read_usage import UsageUseCases
from application.use_cases.reconcile_invoice import ReconcileInvoice
from application.use_cases.report_costs import ReportCosts
from application.use_cases.report_usage import ReportUsage
from contracts.ports.usage import STARTED_AT_US, attempt, usage_event
from domain.analytics.rollup import DAY_US
from entrypoints.cli.reconcile import make_command as make_reconcile
from entrypoints.cli.report import make_command as make_report
from entrypoints.cli.usage import make_command as make_usage


class World:
    """Three requests of two teams on the first two days of 2026."""

    def __init__(self) -> None:
        self.log = InMemoryUsageLog()
        for number, (team, day, cost) in enumerate(
            (("search", 0, 10**9), ("search", 1, 5), ("=sales", 1, None))
        ):
            started_us = STARTED_AT_US + day * DAY_US
            tried = attempt(f"req_{number:012d}", 0, cost_nano_usd=cost, started_at_us=started_us)
            self.log.record(
                usage_event(
                    number, team=team, cost_nano_usd=cost, started_at_us=started_us, attempts=(tried,)
                )
            )
        clock, rows = SteppingClock(), InMemoryUsageRows(self.log)
        self.use_cases = UsageUseCases(
            report=ReportUsage(self.log),
            costs=ReportCosts(self.log, clock),
            forecast=ForecastUsage(self.log, clock),
            anomalies=FindAnomalies(self.log, clock),
            export=ExportUsage(self.log, rows, KnownTableFormats()),
            reconcile=ReconcileInvoice(rows),
            clock=clock,
        )

    @asynccontextmanager
    async def open(self, config_path: str | None) -> AsyncIterator[UsageUseCases]:
        yield self.use_cases

    def run(self, command: click.Command, *arguments: str) -> Result:
        return CliRunner().invoke(command, list(arguments), standalone_mode=True)


@pytest.fixture
def world() -> World:
    return World()


def test_a_table_shows_groups_and_what_their_cost_leaves_out(world: World) -> None:
    result = world.run(make_usage(world.open), "--by", "team,day")

    assert result.exit_code == 0, result.output
    head, *lines = result.stdout.splitlines()
    assert head.split()[:3] == ["TEAM", "DAY", "REQUESTS"]
    assert lines[0].split()[:3] == ["search", "2026-01-01", "1"]
    assert "1.000000" in lines[0]
    assert any("1 without a known price" in line for line in lines)


def test_hits_and_savings_appear_where_there_are_any(world: World) -> None:
    saved: dict[str, Any] = {"cost_nano_usd": 0, "attempts": (), "attempts_made": 0}
    world.log.record(usage_event(7, team="search", cache="hit-l1", saved_nano_usd=2 * 10**9, **saved))
    world.log.record(usage_event(8, team="search", cache="hit-coalesced", saved_nano_usd=None, **saved))
    world.log.record(usage_event(9, team="sales", cache="miss"))

    result = world.run(make_usage(world.open), "--by", "cache")

    head, *lines = result.stdout.splitlines()
    assert "HIT %  SAVED USD" in head
    by_cache = {line.split()[0]: line for line in lines}
    assert "100.0   2.000000" in by_cache["hit-l1"]
    assert "1 hits without a known saving" in by_cache["hit-coalesced"]
    assert "-   0.000000" in by_cache["off"]


def test_filters_times_and_json(world: World) -> None:
    result = world.run(
        make_usage(world.open), "--json", "--by", "team", "--only", "team=search", "--from", "2026-01-02"
    )

    (row,) = json.loads(result.stdout)
    assert (row["team"], row["requests"], row["cost_usd"]) == ("search", 1, "0.000000005")


def test_files_are_written_whole(world: World, tmp_path: Path) -> None:
    usage = make_usage(world.open)
    parquet, table = tmp_path / "usage.parquet", tmp_path / "usage.csv"

    assert (
        world.run(usage, "--format", "parquet", "--level", "attempts", "--out", str(parquet)).exit_code == 0
    )
    assert world.run(usage, "--format", "csv", "--level", "requests", "--out", str(table)).exit_code == 0

    assert pyarrow.parquet.read_table(parquet).num_rows == 3
    with table.open(newline="") as file:
        assert [row["team"] for row in csv.DictReader(file)] == ["search", "search", "'=sales"]
    assert {path.name for path in tmp_path.iterdir()} == {"usage.parquet", "usage.csv"}


def test_focus_goes_to_stdout(world: World) -> None:
    result = world.run(make_usage(world.open), "--format", "focus", "--bucket", "month")

    rows = list(csv.DictReader(io.StringIO(result.stdout_bytes.decode(), newline="")))
    assert [row["BilledCost"] for row in rows] == ["0", "1.000000005"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--by", "colour"], "unknown dimension"),
        (["--only", "team"], "NAME=VALUE"),
        (["--only", "teem=x"], "unknown parameter"),
        (["--from", "yesterday"], "ISO time"),
        (["--level", "attempts"], "--level is for"),
    ],
)
def test_what_cannot_be_meant_is_told(world: World, arguments: list[str], told: str) -> None:
    result = world.run(make_usage(world.open), *arguments)

    assert result.exit_code == 2
    assert told in result.output


def test_a_month_at_a_glance(world: World) -> None:
    report = make_report(world.open)

    text = world.run(report, "2026-01").stdout
    found = json.loads(world.run(report, "2026-01", "--json").stdout)
    empty = json.loads(world.run(report, "2025-12", "--json").stdout)

    assert "Usage of 2026-01 (UTC)" in text
    assert "TEAM" in text
    assert "PROJECT" not in text, "nobody named one"
    assert found["total"]["requests"] == 3
    assert [row["day"] for row in found["by_day"]] == ["2026-01-01", "2026-01-02"]
    assert empty["total"]["requests"] == 0
    assert world.run(report, "2026-13").exit_code == 2


def invoice(directory: Path, *lines: str) -> str:
    path = directory / "invoice.csv"
    path.write_text("\n".join(["date,model,cost", *lines]))
    return str(path)


def test_an_invoice_that_agrees_ends_well(world: World, tmp_path: Path) -> None:
    file = invoice(tmp_path, "2026-01-01,small,1.00", "2026-01-02,small,0")

    result = world.run(make_reconcile(world.open), file, "--provider", "acme")

    assert result.exit_code == 0, result.output
    assert "difference -0.000000005 USD: agrees" in result.output


def test_an_invoice_that_does_not_agree_ends_with_1_and_reasons(world: World, tmp_path: Path) -> None:
    file = invoice(tmp_path, "2026-01-01,Small One,1.00", "2026-01-02,Small One,3.00")
    reconcile = make_reconcile(world.open)
    arguments = (file, "--provider", "acme", "--model", "Small One=small")

    result = CliRunner().invoke(reconcile, list(arguments), standalone_mode=False)
    found: Any = json.loads(
        CliRunner().invoke(reconcile, [*arguments, "--json"], standalone_mode=False).stdout
    )

    assert result.return_value == 1
    assert "does NOT agree" in result.output
    assert "no known price" in result.output
    assert found["within_tolerance"] is False
    assert [line["reasons"] for line in found["lines"]] == [[], ["unpriced"]]


def test_bad_invoices_and_options_are_told(world: World, tmp_path: Path) -> None:
    reconcile = make_reconcile(world.open)

    bad = world.run(reconcile, invoice(tmp_path, "2026-01-01,small,much"), "--provider", "acme")
    tolerance = world.run(reconcile, invoice(tmp_path), "--provider", "acme", "--tolerance", "200%")
    negative = world.run(reconcile, invoice(tmp_path), "--provider", "acme", "--tolerance-usd", "-1")
    empty = world.run(reconcile, invoice(tmp_path), "--provider", "acme")

    assert (bad.exit_code, tolerance.exit_code, negative.exit_code, empty.exit_code) == (1, 2, 2, 2)
    assert "--tolerance-usd an amount of dollars from 0 on" in negative.output
    assert "line 2: 'much'" in bad.output
    assert "no lines" in empty.output
