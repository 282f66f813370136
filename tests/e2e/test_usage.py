"""What was used and what it cost: by whom, for whom, as sums and as files, over the whole server."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG, eventually

CHAT = "/v1/chat/completions"
USAGE = "/api/v1/usage"
COSTS = "/api/v1/analytics/costs"
DOCUMENT = Document()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A server that two teams and another tenant have used: 3, 2 and 1 requests."""
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        with stack.client() as owner:
            search = new_key(owner, team="search", project="crawl", cost_center="CC-1")
            sales = new_key(owner, team="sales", name="=HYPERLINK(evil)")
            other = new_key(owner, tenant_id="other", team="search")
        for made, model, count in (
            (search, "alpha/small", 3),
            (sales, "beta/small", 2),
            (other, "alpha/small", 1),
        ):
            with with_key(stack, made["key"]) as client:
                for number in range(count):
                    body = {"model": model, "messages": [{"role": "user", "content": f"hello {number}"}]}
                    headers = {"x-interchange-agent-id": "=1+1", "x-interchange-session-id": f"s{number}"}
                    assert client.post(CHAT, json=body, headers=headers).status_code == 200
        with stack.client() as owner:
            assert eventually(lambda: owner.get(USAGE).json()["rows"][0]["requests"] == 6)
        yield stack


@pytest.fixture
def client(used: Stack) -> Iterator[httpx.Client]:
    """Every JSON answer this client gets is held to the document."""
    hooks = {"response": [lambda answer: (answer.read(), DOCUMENT.check(answer))]}
    headers = {"authorization": f"Bearer {used.key}"}
    with httpx.Client(base_url=used.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http


def rows(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get(f"{USAGE}?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def table(client: httpx.Client, query: str) -> list[dict[str, str]]:
    answer = client.get(f"{USAGE}?{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_cost_is_told_by_team_project_and_cost_centre(client: httpx.Client) -> None:
    by_team = {(row["tenant"], row["team"]): row for row in rows(client, "by=tenant,team")}

    assert {key: row["requests"] for key, row in by_team.items()} == {
        ("default", "search"): 3,
        ("default", "sales"): 2,
        ("other", "search"): 1,
    }
    (crawl,) = rows(client, "group_by=project,cost_center&project=crawl")
    assert crawl["cost_center"] == "CC-1"
    assert crawl["cost_nano_usd"] == by_team["default", "search"]["cost_nano_usd"] > 0
    assert Decimal(crawl["cost_usd"]) * 10**9 == crawl["cost_nano_usd"]


def test_filters_may_be_repeated_and_mixed(client: httpx.Client) -> None:
    assert [row["requests"] for row in rows(client, "team=search&team=sales")] == [6]
    assert [row["requests"] for row in rows(client, "team=search&tenant_id=default")] == [3]
    assert [row["requests"] for row in rows(client, "tenant=other&tenant=default")] == [6]
    assert [row["requests"] for row in rows(client, "session_id=s0&session=s2")] == [4]
    assert [row["requests"] for row in rows(client, "from=2020-01-01&to=2021-01-01")] == [0]
    assert len(rows(client, "by=model,operation,outcome,month,hour&limit=1&order=requests")) == 1


def test_usage_is_told_by_the_kind_of_task(client: httpx.Client) -> None:
    (chat,) = rows(client, "by=task&team=search")
    assert (chat["task"], chat["requests"]) == ("chat", 4)
    assert [row["requests"] for row in rows(client, "task=code")] == [0]
    costs = client.get(COSTS, params={"by": "task", "bucket": "month"}).json()
    assert {row["task"] for row in costs["groups"]} == {"chat"}
    forecast = client.get("/api/v1/analytics/forecast", params={"metric": "requests", "by": "task"}).json()
    assert [one["group"] for one in forecast["forecasts"]] == [{"task": "chat"}]


def test_a_tenant_sees_its_own_only(used: Stack) -> None:
    with used.client() as owner:
        viewer = new_key(owner, tenant_id="other", role="viewer")
    with with_key(used, viewer["key"]) as client:
        assert [row["tenant"] for row in rows(client, "by=tenant")] == ["other"]
        assert {row["tenant_id"] for row in table(client, "format=csv&level=requests")} == {"other"}
        assert {row["SubAccountId"] for row in table(client, "format=focus")} == {"other"}
        assert {one["tenant_id"] for one in client.get(COSTS).json()["analytics"]} == {"other"}
        for query in ("tenant_id=default", "tenant=other&tenant=default", "tenant=default&format=csv"):
            assert client.get(f"{USAGE}?{query}").status_code == 403, query
        assert client.get(f"{COSTS}?tenant=default").status_code == 403


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("teem=search", "teem"),
        ("by=colour", "by"),
        ("group_by=day,day", "group_by"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("order=random", "order"),
        ("format=xls", "format"),
        ("level=tokens", "level"),
        ("level=requests", "format"),
        ("from=yesterday", "from"),
        ("from=2031-01-01&to=2030-01-01", "from"),
        ("format=focus&bucket=week", "bucket"),
        ("format=focus&agent=a", "agent"),
        ("format=focus&from=2030-01-01T00:30", "from"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(client: httpx.Client, query: str, param: str) -> None:
    answer = client.get(f"{USAGE}?{query}")

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


def test_single_requests_and_attempts_are_exported(client: httpx.Client) -> None:
    requests = table(client, "format=csv&level=requests")
    attempts = [
        json.loads(line) for line in client.get(f"{USAGE}?format=jsonl&level=attempts").text.splitlines()
    ]

    assert len(requests) == len(attempts) == 6
    assert {row["request_id"] for row in requests} == {row["request_id"] for row in attempts}
    assert {row["agent_id"] for row in requests} == {"'=1+1"}, "a spreadsheet must not calculate it"
    assert {row["agent_id"] for row in attempts} == {"=1+1"}
    total = sum(Decimal(row["cost_usd"]) for row in requests)
    assert total == sum(Decimal(row["cost_usd"]) for row in attempts)
    (sums,) = rows(client, "")
    assert total * 10**9 == sums["cost_nano_usd"]
    assert all(row["started_at"].endswith("Z") for row in attempts)


def test_parquet_keeps_money_exact(client: httpx.Client) -> None:
    answer = client.get(f"{USAGE}?format=parquet&level=requests&team=search")

    found = pyarrow.parquet.read_table(io.BytesIO(answer.content))

    assert found.num_rows == 4
    assert str(found.schema.field("cost_usd").type) == "decimal128(38, 9)"
    assert str(found.schema.field("started_at").type) == "timestamp[us, tz=UTC]"
    (sums,) = rows(client, "team=search")
    assert sum(found["cost_usd"].to_pylist()) * 10**9 == sums["cost_nano_usd"]


@pytest.mark.parametrize("bucket", ["hour", "day", "month"])
def test_focus_tells_the_same_cost(client: httpx.Client, bucket: str) -> None:
    charges = table(client, f"format=focus&bucket={bucket}")

    (sums,) = rows(client, "")
    assert sum(Decimal(row["BilledCost"]) for row in charges) * 10**9 == sums["attempt_cost_nano_usd"]
    assert sum(int(row["x_Requests"]) for row in charges) == 6
    search = next(
        row for row in charges if row["SubAccountId"] == "default" and row["ProviderName"] == "alpha"
    )
    assert search["ChargeCategory"] == "Usage"
    assert search["SkuId"] == "alpha/small"
    tags = json.loads(search["Tags"])
    assert (tags["team"], tags["project"], tags["cost_center"]) == ("search", "crawl", "CC-1")
    assert search["ChargePeriodStart"] < search["ChargePeriodEnd"] <= search["BillingPeriodEnd"]


def test_analytics_have_their_published_names_and_add_up(client: httpx.Client) -> None:
    costs = client.get(f"{COSTS}?bucket=month&by=team").json()

    asked: Counter[tuple[str, str]] = Counter()
    for one in costs["analytics"]:  # of two months, where one ended between the six
        asked[one["tenant_id"], one["integration_id"]] += one["total_requests"]
    assert asked == {("default", "alpha"): 3, ("default", "beta"): 2, ("other", "alpha"): 1}
    total = sum(Decimal(one["total_cost"]) for one in costs["analytics"])
    assert total == Decimal(costs["totals"]["cost_usd"]) > 0
    assert total == sum(Decimal(row["cost_usd"]) for row in costs["groups"])
    assert {row["team"] for row in costs["groups"]} == {"search", "sales"}
    one = costs["analytics"][0]
    assert one["success_rate"] == 1
    assert one["average_latency"] > 0
    assert list(one["provider_breakdown"]) == ["alpha/small"]
    assert client.get(f"{COSTS}?bucket=month").json()["analytics"] == costs["analytics"], "ids stay"
    assert client.get(f"{COSTS}?bucket=week").status_code == 400
    assert client.get(f"{COSTS}?by=day").status_code == 400


def command(used: Stack, *arguments: str) -> str:
    """What the program prints on this machine, as its operator."""
    environ = {
        "INTERCHANGE_DATA_DIR": str(used.data_dir),
        "INTERCHANGE_CONFIG": str(used.data_dir / "interchange.yaml"),
    }
    done = CliRunner().invoke(interchange, arguments, env=environ)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_says_the_same_from_the_store_and_from_the_server(used: Stack, tmp_path: Path) -> None:
    asked = ("usage", "--by", "tenant,team", "--only", "team=search")
    server = ("--url", used.url, "--key", used.key)

    assert json.loads(command(used, *asked, "--json")) == json.loads(command(used, *asked, "--json", *server))
    files = [tmp_path / "store.csv", tmp_path / "server.csv"]
    for file, more in zip(files, ((), server), strict=True):
        command(used, "usage", "--format", "csv", "--level", "requests", "--out", str(file), *more)
    assert files[0].read_bytes() == files[1].read_bytes()
    by_month = json.loads(command(used, "usage", "--by", "month", "--only", "cost_center=CC-1", "--json"))
    report = command(used, "report", by_month[0]["month"], "--only", "tenant=default")
    assert "search" in report
    assert "CC-1" in report


def test_where_nothing_is_cached_nothing_was_saved_and_all_of_it_says_so(client: httpx.Client) -> None:
    (off,) = rows(client, "by=cache")
    savings = client.get(COSTS).json()["savings"]
    requests = table(client, "format=csv&level=requests")
    attempts = table(client, "format=csv&level=attempts")

    assert (off["cache"], off["requests"], off["cache_lookups"], off["cache_hit_ratio"]) == (
        "off",
        6,
        0,
        None,
    )
    assert (off["saved_usd"], off["prompt_cache_saved_usd"]) == ("0", "0")
    assert (savings["total_usd"], savings["share"], savings["cache_hit_ratio"]) == ("0", 0, None)
    assert not any(savings["not_counted"].values())
    assert {(row["cache"], row["saved_nano_usd"], row["cache_similarity"]) for row in requests} == {
        ("off", "0", "")
    }
    assert {row["prompt_cache_saved_nano_usd"] for row in attempts} == {"0"}
    assert rows(client, "cache=hit-l1")[0]["requests"] == 0
    (shown, *_) = client.get("/api/v1/requests").json()["requests"]
    assert (shown["cache"], shown["saved_usd"], shown["cache_similarity"]) == ("off", "0", None)


def test_what_comes_and_what_was_strange_is_told_as_documented(client: httpx.Client, used: Stack) -> None:
    """What a day has used is no whole day yet, so there is nothing to go by, and that is said."""
    *_, day = rows(client, "by=day&order=key")  # midnight may have passed since, or between the six
    end_of_day = f"{day['day']}T23:59:59Z"
    found = client.get("/api/v1/analytics/forecast", params={"metric": "requests", "to": end_of_day}).json()
    assert found["unit"] == "requests"
    (one,) = found["forecasts"]
    assert one["today"]["so_far"] == day["requests"] > 0
    assert one["caveats"]
    grouped = client.get("/api/v1/analytics/forecast", params={"by": "team", "horizon_days": 7}).json()
    assert {each["group"]["team"] for each in grouped["forecasts"]} == {"search", "sales"}
    strange = client.get("/api/v1/analytics/anomalies", params={"metric": "cost", "by": "provider"}).json()
    assert strange["anomalies"] == []
    for path in (
        "forecast?metric=joy",
        "forecast?by=day",
        "anomalies?agent_id=x",
        "forecast?horizon_days=93",
    ):
        assert client.get(f"/api/v1/analytics/{path}").status_code == 400, path
