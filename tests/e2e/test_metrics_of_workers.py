"""Two workers, one page: while one of them is killed, on a port of its own, and for a real Prometheus."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from benchmarks.processes import Running, descendants
from contracts.metrics import METRICS
from tests.conftest import missing
from tests.e2e.databases_laid import lay_database
from tests.e2e.test_metrics_page import Shown, read

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
START_S = 180.0
"""Three processes and more start at once, where the machine may be busy with others."""
T = TypeVar("T")


def eventually(look: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """What `look` returns once that is true; a connection that fails is not."""
    give_up = time.monotonic() + within_s
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if found := look():
                return found
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Served:
    """`interchange serve` with two workers and the built-in simulated provider."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.data_dir = folder / "data"
        lay_database(self.data_dir)
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {
            "INTERCHANGE_DATA_DIR": str(self.data_dir),
            "INTERCHANGE_WORKERS": "2",
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            **environ,
        }
        command = [
            sys.executable,
            "-m",
            "entrypoints.cli.main",
            "serve",
            "--no-portkey",
            "--exit-with-parent",
        ]
        self.running = Running(
            "interchange", command, log=folder / "serve.log", environment=environment, folder=ROOT
        )

    def wait(self) -> None:
        eventually(lambda: (self.data_dir / "server.json").exists() or self.running.ended, START_S)
        assert not self.running.ended, self.running.log.read_text()

    def client(self) -> httpx.Client:
        key = (self.data_dir / "admin.key").read_text().strip()
        limits = httpx.Limits(max_keepalive_connections=0)  # each request may meet another worker
        headers = {"authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=url, headers=headers, timeout=30, limits=limits, trust_env=False)

    def scraped(self) -> dict[str, Shown]:
        return read(httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30).text)

    def workers(self) -> list[int]:
        """Processes that hold a place among the workers."""
        return sorted(
            int(path.name.split("-")[0])
            for path in (self.data_dir / "metrics").glob("*.lock")
            if "-" in path.name
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        served.wait()
        yield served
    finally:
        served.running.stop()


def total(page: dict[str, Shown], name: str) -> int:
    return sum(int(value) for value in page[name].values.values()) if name in page else 0


def ask(client: httpx.Client, times: int) -> None:
    model = next(each["id"] for each in client.get("/v1/models").json()["data"] if "/" in each["id"])
    for number in range(times):
        body = {"model": model, "messages": [{"role": "user", "content": f"hello {number}"}]}
        assert client.post("/v1/chat/completions", json=body).status_code == 200


def test_no_page_of_two_workers_tells_less_than_before_although_one_is_killed(served: Served) -> None:
    with served.client() as client:
        eventually(lambda: served.scraped()["interchange_workers"].values == {"interchange_workers{}": "2"})
        told: list[int] = []

        def look() -> int:
            counts = [
                total(read(client.get("/metrics").text), "interchange_requests_total") for _ in range(4)
            ]
            counts.append(total(served.scraped(), "interchange_requests_total"))
            for count in counts[:4]:
                assert count >= max(told, default=0)
                told.append(count)
            return max(counts)

        ask(client, 20)
        assert eventually(lambda: look() == 20)
        victim = served.workers()[0]
        time.sleep(1.5)  # what was counted in the last second before a kill is lost, as documented
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: look() >= 20 and victim not in served.workers())
        eventually(lambda: served.scraped()["interchange_workers"].values == {"interchange_workers{}": "2"})
        ask(client, 10)
        assert eventually(lambda: look() == 30)
        spent = total(read(client.get("/metrics").text), "interchange_cost_nano_usd_total")
        eventually(lambda: sum(int(row["requests"]) for row in _usage(client)) == 30)
        rows = _usage(client)
        assert spent == sum(round(float(row["cost_usd"]) * 1e9) for row in rows) > 0


def _usage(client: httpx.Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/api/v1/usage?group_by=provider").json()["rows"]
    return rows


def test_the_port_of_its_own_has_the_page_and_nothing_else(served: Served) -> None:
    base = f"http://127.0.0.1:{served.metrics_port}"
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
        answer = client.get("/metrics", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert set(read(answer.text)) <= set(METRICS)
        assert client.head("/metrics").text == ""
        assert client.post("/metrics").status_code == 405
        for path in ("/", "/health", "/v1/models", "/api/v1/usage", "/metrics/x"):
            assert client.get(path).status_code == 404


def test_a_real_prometheus_scrapes_it(served: Served, tmp_path: Path) -> None:
    if (binary := shutil.which("prometheus")) is None:
        missing("prometheus")
    text = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    assert "interchange:9464" in text
    config = tmp_path / "prometheus.yml"
    text = text.replace("interchange:9464", f"127.0.0.1:{served.metrics_port}").replace("15s", "1s")
    config.write_text("\n".join(line for line in text.splitlines() if "rules" not in line))
    port = free_port()
    command = [str(binary), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    prometheus = Running("prometheus", command, log=tmp_path / "prometheus.log", folder=tmp_path)
    try:
        with served.client() as client:
            ask(client, 3)

        def names() -> set[str]:
            url = f"http://127.0.0.1:{port}/api/v1/label/__name__/values"
            answer = httpx.get(url, timeout=10, trust_env=False).raise_for_status()  # 503 while it starts
            return set(answer.json()["data"])

        eventually(lambda: "interchange_requests_total" in names())
        found = names()
        shown = {
            name for name, metric in METRICS.items() if not metric.when and served.scraped()[name].values
        }
        suffix = {name: "_count" if METRICS[name].kind == "histogram" else "" for name in shown}
        assert {name + suffix[name] for name in shown} <= found
        query = {"query": "sum(interchange_requests_total)"}
        url = f"http://127.0.0.1:{port}/api/v1/query"

        def counted() -> bool:
            result = httpx.get(url, params=query, timeout=10, trust_env=False).json()["data"]["result"]
            return bool(result) and int(result[0]["value"][1]) == total(
                served.scraped(), "interchange_requests_total"
            )

        assert eventually(counted)
    finally:
        prometheus.stop()
        assert not descendants(prometheus.pid)


def test_the_configuration_of_prometheus_is_valid() -> None:
    if (binary := shutil.which("promtool")) is None:
        missing("promtool")
    command = [str(binary), "check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_finds_nothing_that_cannot_be_read(served: Served) -> None:
    """What it says of names and units is its taste; what it cannot parse would be an error."""
    if (binary := shutil.which("promtool")) is None:
        missing("promtool")
    page = httpx.get(f"http://127.0.0.1:{served.metrics_port}/metrics", timeout=30).content
    checked = subprocess.run(
        [str(binary), "check", "metrics"], input=page, capture_output=True, timeout=60, check=False
    )

    assert b"error while linting" not in checked.stderr, checked.stderr
