"""`interchange forecast` and `interchange anomalies` against a store."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from adapters.memory.system import SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.use_cases.find_anomalies import FindAnomalies
from application.use_cases.forecast_usage import ForecastUsage
from application.use_cases.read_usage import UsageUseCases
from entrypoints.cli.outlook import make_anomalies, make_forecast, sparkline
from tests.unit.application.test_outlook import daily_log, hourly_log
from tests.unit.cli.test_usage import World


class Outlooks(World):
    """The same commands over another log."""

    def __init__(self, log: InMemoryUsageLog) -> None:
        super().__init__()
        clock = SteppingClock()
        self.use_cases = replace(
            self.use_cases, forecast=ForecastUsage(log, clock), anomalies=FindAnomalies(log, clock)
        )

    @asynccontextmanager
    async def open(self, config_path: str | None) -> AsyncIterator[UsageUseCases]:
        yield self.use_cases

    def forecast(self, *arguments: str) -> Result:
        return CliRunner().invoke(make_forecast(self.open), list(arguments))

    def anomalies(self, *arguments: str) -> Result:
        return CliRunner().invoke(make_anomalies(self.open), list(arguments))


@pytest.fixture(scope="module")
def strange() -> Outlooks:
    return Outlooks(hourly_log())


def test_a_forecast_shows_days_intervals_and_how_it_did() -> None:
    world = Outlooks(daily_log())
    result = world.forecast("--days", "7", "--only", "tenant=acme")
    assert result.exit_code == 0, result.output
    assert "11.00 to 11.00" in result.output
    assert "off by 0.0 % over 7 days" in result.output
    assert "note: only 40 days of history" in result.output
    told = json.loads(world.forecast("--json", "--by", "tenant", "--metric", "requests").output)
    assert [one["group"] for one in told["forecasts"]] == [{"tenant": "other"}, {"tenant": "acme"}]
    assert len(told["forecasts"][0]["days"]) == 28


def test_without_usage_a_forecast_says_why_there_is_none() -> None:
    result = Outlooks(InMemoryUsageLog()).forecast()
    assert result.exit_code == 0
    assert result.output == "note: nothing was used yet: there is nothing to go by\n"


def test_anomalies_show_who_moved_them(strange: Outlooks) -> None:
    result = strange.anomalies("--metric", "cost", "--only", "tenant=acme")
    assert result.exit_code == 0, result.output
    assert "$22.00 an hour" in result.output
    assert "model large 100 %" in result.output
    told = json.loads(strange.anomalies("--json", "--metric", "cost").output)
    assert told["anomalies"][0]["text"].startswith("spending was $")
    assert told["anomalies"][0]["kind"] == "spike"
    assert "spike" in result.output


def test_nothing_strange_is_said_in_a_line() -> None:
    result = Outlooks(InMemoryUsageLog()).anomalies()
    assert result.output.startswith("nothing out of the ordinary from ")
    assert "too little to know what is usual" in result.output


def test_what_the_sums_do_not_know_is_refused(strange: Outlooks) -> None:
    result = strange.anomalies("--only", "agent=x")
    assert result.exit_code == 2
    assert "sums by the hour" in result.output
    assert strange.forecast("--days", "93").exit_code == 2


def test_bars_stand_for_amounts() -> None:
    assert sparkline([0, 1, 4, 8]) == "·▁▄█"
    assert sparkline([]) == ""
