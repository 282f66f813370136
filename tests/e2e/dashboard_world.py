"""A server in which everything happens that dashboards show, and a real Prometheus that scrapes it."""

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from adapters.memory.connector import MemorySide
from benchmarks.processes import Running
from tests.conftest import missing
from tests.e2e.memory_integrations import memory_integrations
from tests.e2e.stack import Stack
from tests.e2e.three_wires import simulate
from tests.e2e.webhook_receiver import WebhookReceiver
from tests.redis_world import RedisServer

ROOT = Path(__file__).parents[2]
CHAT = "/v1/chat/completions"
_MODEL = (
    "{input_usd_per_mtok: 1, output_usd_per_mtok: 4, cached_input_usd_per_mtok: 0.1, context_tokens: 100000, "
    "quality: 0.8, capabilities: [text, streaming]}"
)
CONFIG = f"""
cache: {{embedder: hashing}}
quality: {{refresh_s: 0.2}}
health: {{minimum_samples: 10000, unavailable_consecutive_failures: 10000}}
breaker: {{consecutive_failures: 10000, minimum_calls: 10000}}
providers:
  alpha:
    kind: openai
    base_url: "{{sim}}/alpha/v1"
    via: direct
    keys:
      - {{key: sk-one, name: one, rpm: 100000}}
      - {{key: sk-two, name: two, rpm: 100000}}
    models:
      small: {_MODEL}
      flaky: {_MODEL}
      free: {{capabilities: [text, streaming], context_tokens: 100000}}
  beta:
    kind: openai
    base_url: "{{sim}}/beta/v1"
    api_key: k
    via: direct
    models: {{small: {_MODEL}}}
routes:
  faq: {{targets: [alpha/small], cache: {{mode: exact, tags: [docs]}}}}
  similar:
    targets: [alpha/small]
    cache: {{mode: threshold, similarity_threshold: 0.6, audit_share: 1, shadow_usd_per_day: 10}}
  unpriced: {{targets: [alpha/free], cache: {{mode: exact}}}}
  shaky: {{targets: [alpha/flaky, beta/small], strategy: priority, retries: 0}}
  broken: {{targets: [alpha/flaky], retries: 0, max_fallbacks: 0}}
  short: {{targets: [beta/small], quality: {{checks: all, sample: 1}}}}
budgets:
  - {{name: month, scope: {{tenant: default}}, period: month, limit_usd: 100}}
  - {{name: poor, scope: {{tenant: default, agent: poor}}, period: total, limit_usd: 0.000000001, hard: true}}
  - {{name: each, scope: {{tenant: default, user: "*"}}, period: month, limit_usd: 0.000001, alert_at: [0.5]}}
rate_limits:
  - {{name: hasty, scope: {{tenant: default, agent: hasty}}, requests: 1, per: hour}}
integrations:
  shelf:
    type: storage
    configuration: {{endpoint: "memory://open", authentication: {{type: none}}, max_concurrency: 4}}
    monitoring: {{interval_s: 5}}
webhooks: {{http_allowed: true, timeout_s: 2, schedule_s: [0, 0.2], jitter: 0}}
"""


class Load:
    """Callers in a thread, round after round, until it is left."""

    def __init__(self, stack: Stack, webhook: str) -> None:
        self._stack = stack
        self._webhook = webhook
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def check(self) -> None:
        """Raises what a caller saw as wrong."""
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            with self._stack.client() as client:
                for number in count():
                    if self._ended.is_set():
                        return
                    self._round(client, number)
        except Exception as error:  # noqa: BLE001 - told by whoever started it
            self.error = error

    def _round(self, client: httpx.Client, number: int) -> None:
        first = _ask(client, "faq", f"What is {number}?")
        for model, text, status in (
            ("faq", f"What is {number}?", 200),
            ("similar", f"How do I bake the large apples{_filler(number)}?", 200),
            ("unpriced", f"And for nothing {number // 2}?", 200),
            ("shaky", "Is anybody there?", 200),
            ("broken", "Is anybody here?", None),
            ("short", "Say nothing.", 200),
        ):
            answer = _ask(client, model, text)
            assert status in (None, answer.status_code), (model, answer.text)
        assert _ask(client, "poor", "hello", agent="poor", model="alpha/small").status_code == 402
        assert _ask(client, "hasty", "hello", agent="hasty", model="alpha/small").status_code in (200, 429)
        assert _ask(client, "beta/small", "A user asks", user=f"u{number % 3}").status_code == 200
        assert _ask(client, "alpha/small", "word " * 1500).status_code == 200
        with client.stream("POST", CHAT, json=_body("alpha/small", "stream", stream=True)) as answer:
            answer.read()
        if number % 10 == 0:
            said = {"request_id": first.headers["x-request-id"], "rating": 4}
            assert client.post("/api/v1/feedback", json=said).status_code == 201
            assert client.post(f"/api/v1/webhooks/{self._webhook}/test").status_code == 200
            put = {"integration_id": "shelf", "tool_name": "put", "parameters": {"key": "a", "value": number}}
            assert client.post("/api/v1/tools/execute", json=put).status_code == 200
        if number == 3:
            client.post("/api/v1/cache/invalidate", json={"kind": "tag", "value": "docs"}).raise_for_status()


def _filler(number: int) -> str:
    """Words that change a question and not what it means."""
    words = ("please", "so", "then", "well", "now", "again", "kindly", "really")
    return "".join(f" {word}" for place, word in enumerate(words) if number >> place & 1)


def _body(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def _ask(
    client: httpx.Client, route: str, text: str, *, agent: str = "", user: str = "", model: str = ""
) -> httpx.Response:
    headers = {"x-interchange-agent-id": agent, "x-interchange-user-id": user}
    said = {name: value for name, value in headers.items() if value}
    tokens = 3 if route == "short" else 200
    return client.post(CHAT, json=_body(model or route, text, max_tokens=tokens), headers=said)


@contextmanager
def busy_server(folder: Path) -> Iterator[tuple[Stack, Load]]:
    """A server under load, with Redis, a webhook and an integration."""
    redis = shutil.which("redis-server")
    if redis is None:
        missing("redis-server")
    server = RedisServer(Path(str(redis)), folder / "redis")
    environ = {"REDIS_URL": server.url, "INTERCHANGE_KEY_PEPPER": "1:" + "0123456789abcdef" * 4}
    try:
        with server.client() as client:
            client.config_set("maxmemory", "64mb")
        with WebhookReceiver() as receiver, memory_integrations({"open": MemorySide()}):
            config = CONFIG + f"egress: {{allow: ['127.0.0.1:{receiver.port}']}}\n"
            with Stack(folder / "data", config, environ=environ) as stack:
                simulate(stack, lambda: _misbehave(stack))
                body = {"url": receiver.url("/webhook"), "events": ["webhook.test"]}
                with stack.client() as http:
                    made = http.post("/api/v1/webhooks", json=body).raise_for_status().json()
                with Load(stack, str(made["endpoint_id"])) as load:
                    yield stack, load
    finally:
        server.kill()


def _misbehave(stack: Stack) -> None:
    stack.simulator.fault({"kind": "status", "status": 500}, match={"model": "flaky"})
    stack.simulator.latency(ttft_ms=2, per_token_ms=0.2)
    stack.simulator.answer(text="For about three quarters of an hour, as far as anybody knows.")


class Prometheus:
    """A real one, which scrapes a server every second, with the rules that are shipped. A context manager."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        binary = shutil.which("prometheus")
        if binary is None:
            missing("prometheus")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [
                {
                    "job_name": "interchange",
                    "authorization": {"credentials": stack.key},
                    "static_configs": [{"targets": [stack.url.removeprefix("http://")]}],
                }
            ],
            "rule_files": [str(ROOT / "deploy/prometheus/rules.yml")],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [str(binary), f"--config.file={folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
        self._command, self._folder = command, folder
        self._client = httpx.Client(base_url=self._url, timeout=10, trust_env=False)
        self._running: Running | None = None

    def __enter__(self) -> "Prometheus":
        log = self._folder / "prometheus.log"
        self._running = Running("prometheus", self._command, log=log, folder=self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._running is not None
        self._running.stop()
        self._client.close()

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self._client.get("/-/ready").status_code == 200
        return False

    def query(self, expr: str) -> tuple[str, list[float]]:
        """What is wrong with the expression (empty: nothing), and the values it has now."""
        answer = self._client.get("/api/v1/query", params={"query": expr}).json()
        if answer["status"] != "success":
            return str(answer["error"]), []
        found = answer["data"]["result"]
        if answer["data"]["resultType"] == "scalar":
            return "", [float(found[1])]
        return "", [float(each["value"][1]) for each in found]

    def rules(self) -> list[dict[str, Any]]:
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]
