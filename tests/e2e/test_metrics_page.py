"""The metrics page of a live server is what the published list says."""

import gzip
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from contracts.metrics import METRICS
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

CONFIG = """
providers:
  alpha:
    kind: openai
    base_url: "{sim}/alpha/v1"
    api_key: provider-secret
    via: direct
    models:
      small:
        input_usd_per_mtok: 0.1
        output_usd_per_mtok: 0.4
        context_tokens: 128000
        quality: 0.6
        capabilities: [text, streaming]
      dead: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, capabilities: [text, streaming]}
routes:
  faq: {targets: [alpha/small], cache: {mode: exact, ttl_s: 60}}
  assistant: {targets: [alpha/dead, alpha/small], strategy: priority, retries: 0}
budgets:
  - {name: month, scope: {tenant: default}, period: month, limit_usd: 100, hard: true}
rate_limits:
  - {name: minute, scope: {tenant: default}, requests: 1000, per: minute}
"""
CHAT = "/v1/chat/completions"


class Shown(NamedTuple):
    """What a page says of one metric."""

    kind: str
    labels: set[tuple[str, ...]]
    values: dict[str, str]


def read(text: str) -> dict[str, Shown]:
    """Every metric of a page; bounds of histograms are no labels."""
    found: dict[str, Shown] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in found, f"{name} is on the page twice"
            found[name] = Shown(kind, set(), {})
        elif not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            float(value)
            inside = series.partition("{")[2].rstrip("}")
            labels = tuple(part.split("=")[0] for part in inside.split('",') if part)
            found[name].labels.add(tuple(label for label in labels if label != "le"))
            found[name].values[series] = value
    return found


def ask(client: httpx.Client, model: str, text: str = "hello", *, stream: bool = False) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    return client.post(CHAT, json=body)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        for _ in range(2):
            assert ask(client, "faq").status_code == 200
        assert ask(client, "assistant", stream=True).status_code == 200
        yield client


def test_page_and_list_agree(client: httpx.Client) -> None:
    shown = read(client.get("/metrics").text)

    assert not set(shown) - set(METRICS), "add them to contracts/metrics.py"
    assert [name for name, metric in METRICS.items() if not metric.when and name not in shown] == []
    for name, found in shown.items():
        assert (name, found.kind) == (name, METRICS[name].kind)
        assert found.labels <= {METRICS[name].labels}, name


def test_the_page_tells_of_caches_money_and_what_runs(client: httpx.Client) -> None:
    values = {
        series: value
        for shown in read(client.get("/metrics").text).values()
        for series, value in shown.values.items()
    }

    assert values['interchange_cache_requests_total{route="faq",outcome="hit-l1"}'] == "1"
    assert values['interchange_cache_requests_total{route="faq",outcome="miss"}'] == "1"
    assert values['interchange_cache_lookups_total{tier="l1",outcome="hit"}'] == "1"
    assert values['interchange_cache_hit_ratio{route="faq"}'] == "0.5"
    assert values['interchange_optimization_efficiency_ratio{route="faq"}'] == "0.5"
    assert values['interchange_routing_quality_score{provider="alpha",model="small"}'] == "0.6"
    assert values['interchange_tenant_requests_total{tenant="default"}'] == "3"
    assert values["interchange_workers{}"] == "1"
    assert values['interchange_database_up{kind="sqlite"}'] == "1"
    assert float(values["interchange_process_resident_memory_bytes{}"]) > 1e6


def test_metrics_rows_and_bill_are_the_same_to_the_nano_dollar(client: httpx.Client) -> None:
    shown = read(client.get("/metrics").text)

    def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get("/api/v1/usage?group_by=provider").json()["rows"]
        return found

    assert eventually(lambda: sum(row["requests"] for row in rows()) == 3)

    counted = sum(int(value) for value in shown["interchange_cost_nano_usd_total"].values.values())
    by_tenant = sum(int(value) for value in shown["interchange_tenant_cost_nano_usd_total"].values.values())
    billed = sum(round(float(row["cost_usd"]) * 1e9) for row in rows())
    assert counted == by_tenant == billed > 0


def test_the_page_is_compressed_for_whoever_takes_it(client: httpx.Client, stack: Stack) -> None:
    def fetched(accepts: str) -> tuple[str | None, bytes]:
        headers = {"authorization": f"Bearer {stack.key}", "accept-encoding": accepts}
        with urllib.request.urlopen(
            urllib.request.Request(stack.url + "/metrics", headers=headers)
        ) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            return answer.headers["content-encoding"], answer.read()

    coding, plain = fetched("identity")
    assert (coding, plain[:7]) == (None, b"# HELP ")
    coding, packed = fetched("deflate, gzip;q=0.5")
    assert (coding, gzip.decompress(packed)[:7]) == ("gzip", b"# HELP ")
    assert len(packed) < len(plain) / 3
    assert fetched("gzip;q=0")[0] is None


def test_without_metrics_there_is_no_page(tmp_path: Path) -> None:
    with Stack(tmp_path, CONFIG, environ={"ENABLE_METRICS": "false"}) as stack, stack.client() as client:
        assert ask(client, "faq").status_code == 200
        assert client.get("/metrics").status_code == 404
        assert not (tmp_path / "metrics").exists()
