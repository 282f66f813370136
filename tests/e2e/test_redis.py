"""Two servers that share a budget through a pool in a real Redis, and what happens while that is away."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.e2e.databases_laid import lay_database
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually
from tests.redis_world import RedisServer, required_server

CONFIG = """
providers:
  acme:
    kind: openai
    base_url: {sim}/v1
    api_key: k
    via: direct
    models:
      large:
        input_usd_per_mtok: 100
        output_usd_per_mtok: 200
        context_tokens: 128000
        max_output_tokens: 4096
        capabilities: [text, streaming]
routes:
  assistant: {targets: [acme/large]}
budgets:
  - {name: shared, scope: {tenant: default, agent: "*"}, period: total, limit_usd: 0.5, hard: true}
"""
LIMIT_USD = 0.5


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Whoever takes it away gives it back."""
    server = RedisServer(required_server(), tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def stacks(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stack]]:
    """Both serve agents that no other test asks for."""
    folder = tmp_path_factory.mktemp("stacks")
    environ = {
        "REDIS_URL": redis.url,
        "DATABASE_URL": f"sqlite:///{lay_database(folder, 'shared.db')}",
        "INTERCHANGE_KEY_PEPPER": "1:" + "0123456789abcdef" * 4,
    }
    with (
        Stack(folder / "one", CONFIG, environ=environ) as one,
        _second(folder / "two", environ, one) as two,
    ):
        yield [one, two]


def _second(directory: Path, environ: dict[str, str], first: Stack) -> Stack:
    directory.mkdir(parents=True)
    (directory / "admin.key").write_text(first.key)
    return Stack(directory, CONFIG, environ=environ)


def ask(stacks: Sequence[Stack], agent: str, times: int) -> list[int]:
    """So many questions, each stack's in its turn."""
    body = {"model": "assistant", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    named = {"x-interchange-agent-id": agent}
    with ExitStack() as opened:
        callers = cycle([opened.enter_context(stack.client(**named)) for stack in stacks])
        answers = [next(callers).post("/v1/chat/completions", json=body) for _ in range(times)]
    return [answer.status_code for answer in answers]


def health(stack: Stack) -> dict[str, Any]:
    answer = httpx.get(f"{stack.url}/health", headers={"authorization": f"Bearer {stack.key}"}, timeout=20)
    found: dict[str, Any] = answer.json()
    return found


def metric(stack: Stack, name: str) -> float:
    headers = {"authorization": f"Bearer {stack.key}"}
    page = httpx.get(f"{stack.url}/metrics", headers=headers, timeout=20).text
    return float(next(line.split()[-1] for line in page.splitlines() if line.startswith(f"{name}{{}} ")))


def spent(stack: Stack, agent: str) -> float:
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20) as client:
        (shared,) = client.get("/api/v1/budgets").json()["budgets"]
        accounts = client.get(f"/api/v1/budgets/{shared['budget_id']}/accounts").json()["accounts"]
    return next((float(each["spent_usd"]) for each in accounts if each["subject"] == f"agent={agent}"), 0.0)


def test_two_servers_spend_one_budget_to_its_end_and_no_further(stacks: list[Stack]) -> None:
    answers = ask(stacks, "together", 80)

    assert answers.count(200) > 10
    assert answers[-1] == 402
    used = eventually(lambda: spent(stacks[0], "together"))
    assert 0 < used <= LIMIT_USD
    for stack in stacks:
        assert health(stack)["redis"]["status"] == "up"
        assert metric(stack, "interchange_redis_up") == 1
        assert metric(stack, "interchange_lease_pool_visits_total") > 0


def test_they_go_on_while_redis_is_away_and_when_it_comes_back_empty(
    stacks: list[Stack], redis: RedisServer
) -> None:
    assert ask(stacks, "before", 2) == [200, 200]
    redis.kill()

    assert ask(stacks, "during", 2) == [200, 200]
    eventually(lambda: health(stacks[0])["redis"]["status"] == "down")
    assert health(stacks[0])["status"] == "degraded"

    redis.start()
    eventually(lambda: health(stacks[0])["redis"]["status"] == "up")
    answers = ask(stacks, "before", 80)
    assert answers.count(200) > 10
    assert set(answers) <= {200, 402}
    assert eventually(lambda: spent(stacks[0], "before")) <= LIMIT_USD


def test_doctor_asks_redis(redis: RedisServer, tmp_path: Path) -> None:
    environ = {"INTERCHANGE_DATA_DIR": str(tmp_path), "REDIS_URL": redis.url}
    told = CliRunner(env=environ).invoke(interchange, ["doctor"]).output
    assert "redis" in told and "version" in told

    redis.kill()
    try:
        assert "Redis does not answer" in CliRunner(env=environ).invoke(interchange, ["doctor"]).output
    finally:
        redis.start()
