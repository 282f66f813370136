"""`interchange catalog`: readable tables, exact JSON, and exit codes 0, 1 and 2."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.memory.catalog import InMemoryCatalogStore
from adapters.pricing.feed_sources import PublicFeeds
from application.use_cases.catalog_queries import (
    CatalogUseCases,
    ListOfferings,
    ReportCatalogStatistics,
    ShowOffering,
)
from application.use_cases.load_catalog import LoadCatalog
from application.use_cases.sync_catalog import ExportCatalog, ImportCatalog, SyncCatalog
from contracts.ports.catalog import EVERYTHING, UNKNOWN_AND_FREE, catalog_of
from entrypoints.cli.catalog import make_group
from tests.unit.catalog.test_use_cases import SMALL, FixedClock, FixedSource


class Cli:
    """The group over one in-memory installation."""

    def __init__(self) -> None:
        self.store = InMemoryCatalogStore()
        load = LoadCatalog(
            bundled=FixedSource(catalog_of(SMALL, EVERYTHING, UNKNOWN_AND_FREE)), store=self.store
        )
        feeds, clock = PublicFeeds(), FixedClock()
        self._use = CatalogUseCases(
            list_offerings=ListOfferings(load),
            show_offering=ShowOffering(load),
            statistics=ReportCatalogStatistics(load),
            sync=SyncCatalog(feeds=feeds, store=self.store, clock=clock),
            import_catalog=ImportCatalog(feeds=feeds, store=self.store, clock=clock),
            export_catalog=ExportCatalog(load=load, feeds=feeds, store=self.store),
        )

    @contextmanager
    def _open(self) -> Iterator[CatalogUseCases]:
        yield self._use

    def run(self, *arguments: str, given: bytes | None = None) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(make_group(self._open), list(arguments), input=given)


@pytest.fixture
def cli() -> Cli:
    return Cli()


def test_list_shows_prices_in_dollars_per_million(cli: Cli) -> None:
    result = cli.run("list")

    assert result.exit_code == 0
    assert "acme/small" in result.stdout
    assert "8,000" in result.stdout


def test_list_filters_and_gives_all_matches_as_json(cli: Cli) -> None:
    result = cli.run(
        "list", "--provider", "acme", "--capability", "fine_tuned", "--max-price", "0.1", "--json"
    )

    [entry] = json.loads(result.stdout)
    assert entry["model"] == EVERYTHING.model
    assert entry["prices"]["base"]["input"] == 37_500_000


def test_list_says_when_it_shows_only_a_part(cli: Cli) -> None:
    result = cli.run("list", "--limit", "1")

    assert result.exit_code == 0
    assert "1 of 3" in result.stderr


def test_show_tells_every_tier_and_variant(cli: Cli) -> None:
    result = cli.run("show", EVERYTHING.id)

    assert result.exit_code == 0
    for text in ("input over 128,000", "processing=batch", "service_tier=priority", "2026-01-31", "0.0375"):
        assert text in result.stdout


def test_show_of_an_unknown_name_fails_with_near_ones(cli: Cli) -> None:
    result = cli.run("show", "smal")

    assert result.exit_code == 1
    assert "nearest: small" in result.stderr


def test_stats_counts(cli: Cli) -> None:
    table, document = cli.run("stats"), json.loads(cli.run("stats", "--json").stdout)

    assert table.exit_code == 0
    assert "with context" in table.stdout
    assert document["offerings"] == 3
    assert document["by_provider"]["acme"]["offerings"] == 3


def test_sync_takes_a_file_and_reports_the_changes(cli: Cli, tmp_path: Path) -> None:
    feed = tmp_path / "feed.json"
    feed.write_text(json.dumps({"data": [{"id": "a/b", "pricing": {"prompt": "0.000001"}}]}))

    result = cli.run("sync", "--format", "openrouter", "--file", str(feed))

    assert result.exit_code == 0
    assert "openrouter: 1 offerings" in result.stdout
    assert "added 1, removed 0" in result.stdout
    assert json.loads(cli.run("show", "openrouter/a/b", "--json").stdout)[0]["prices"]["base"] == {
        "input": 1_000_000_000
    }


def test_what_export_writes_import_takes(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"

    exported = cli.run("export", str(file))
    imported = cli.run("import", str(file), "--json")
    piped = cli.run("import", "-", given=cli.run("export", "-").stdout_bytes)

    assert exported.exit_code == imported.exit_code == piped.exit_code == 0
    assert json.loads(imported.stdout)["offerings"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--capability", "telepathy"],
        ["list", "--max-price", "cheap"],
        ["list", "--max-price", "-1"],
        ["sync", "--format", "litellm"],
        ["sync", "--format", "litellm", "--url", "https://x.example", "--file", "x"],
        ["sync", "--format", "excel", "--file", "x"],
        ["sync"],
        ["show"],
        ["dance"],
    ],
)
def test_a_command_that_is_not_understood_ends_with_2(cli: Cli, arguments: list[str]) -> None:
    assert cli.run(*arguments).exit_code == 2


def test_what_fails_ends_with_1_and_one_line(cli: Cli, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")

    for arguments in (
        ["list", "--provider", "nobody"],
        ["import", str(broken)],
        ["sync", "--format", "litellm", "--file", str(tmp_path / "none.json")],
        ["export", str(tmp_path / "no-such-folder" / "file.json")],
        ["export", "-", "--source", "never-saved"],
    ):
        result = cli.run(*arguments)
        assert result.exit_code == 1, arguments
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1


def test_a_store_that_is_down_is_one_line_and_status_1(cli: Cli) -> None:
    cli.store.reachable = False

    result = cli.run("stats")

    assert result.exit_code == 1
    assert "switched off" in result.stderr
