"""A server is killed while all is under way: its own batch, batches of providers, calls that hold money.

Starts are dear, so there is one server, killed once, and every test looks at another part of what was left.
"""

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any, Final, NamedTuple

import httpx
import pytest

from adapters.disk.board_format import machine_start, read_board
from benchmarks.batch_proof import World, world, write_input
from tests.e2e.databases_laid import lay_database

SHAPES: Final = {"openai": "/v1/batches", "anthropic": "/v1/messages/batches"}
"""Of each batch API: where a batch is made."""
HANDED_OVER: Final = 50
ASKED: Final = 60
HELD: Final = 3
SLOW_MS: Final = 20_000
PRICE: Final = "input_usd_per_mtok: 0.13, output_usd_per_mtok: 0.57, max_output_tokens: 4096"
BUDGET: Final = """
budgets:
  - {name: callers, scope: {tenant: default, agent: caller}, period: total, limit_usd: 1, hard: true}
"""
SECONDS_MAX: Final = 60.0


class Ended(NamedTuple):
    """What is left of a batch: what its command printed, its rows and their cost, the provider's bill."""

    summary: dict[str, Any]
    rows: int
    attempts: int
    cost_nano_usd: int
    bill: dict[str, Any]


class Left(NamedTuple):
    """What the next server found, and what there was at the end."""

    handed_over: dict[str, Ended]
    """Of each shape: the batch that its provider worked on."""
    asked: Ended
    """The batch whose lines the server asked itself, of a provider that knows no idempotency keys."""
    answered: Counter[str]
    """How often each of its lines stands in the output."""
    entries: list[dict[str, Any]]
    """Calls of the dead server whose bill nobody knows."""
    entries_resolved: list[dict[str, Any]]
    journals: int
    statuses: list[int]
    """Of calls below the same budget: before anything happened, and after everything was resolved."""
    journals_at_end: list[str]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("killed")
    with world(folder, latency_ms=0, honours=False) as here:
        lay_database(here.data_dir)
        here.config.write_text(here.config.read_text() + _more_providers(here) + BUDGET)
        # No provider tells how far its batch is, so that both work until the server is killed.
        untold = {"fault": {"kind": "status", "status": 503}, "match": {"path": "*/batches/?*"}}
        here.simulated("PUT", "/_sim/faults", untold)
        here.start_server()
        statuses = [_ask(here)]
        running = _begun(here)
        here.kill_server()
        here.simulated("DELETE", "/_sim/faults")
        here.start_server()
        journals, entries = len(_journals(here)), _unresolved(here)
        _resolve(here, entries)
        printed = {name: each.communicate(timeout=120)[0] for name, each in running.items()}
        here.simulated("DELETE", "/_sim/latency")
        statuses.append(_ask(here))
        entries_resolved = _unresolved(here)
        here.stop_server_gently()
        bills = {one["provider"]: one["answered"] for one in here.simulated("GET", "/_sim/bill")["models"]}
        journals_at_end = [str(path) for path in _journals(here)]
    ended = {name: _ended(here, name, text, bills[name]) for name, text in printed.items()}
    with (folder / "alpha.out.jsonl").open() as file:
        answered = Counter(json.loads(line)["custom_id"] for line in file)
    return Left(
        handed_over={shape: ended[shape] for shape in SHAPES},
        asked=ended["alpha"],
        answered=answered,
        entries=entries,
        entries_resolved=entries_resolved,
        journals=journals,
        statuses=statuses,
        journals_at_end=journals_at_end,
    )


def _more_providers(here: World) -> str:
    batched = "batch_multiplier_percent: 50, capabilities: [text, streaming]"
    shapes = "".join(
        f'  {shape}:\n    kind: {shape}\n    base_url: "{here.simulator_url}/{shape}{path}"\n    api_key: k\n'
        f"    via: direct\n    batch_api: {shape}\n    models:\n"
        f"      small: {{{PRICE}, context_tokens: 128000, {batched}}}\n"
        for shape, path in (("openai", "/v1"), ("anthropic", ""))
    )
    return (
        shapes + f'  slow:\n    kind: openai\n    base_url: "{here.simulator_url}/slow/v1"\n    api_key: k\n'
        f"    via: direct\n    models:\n      small: {{{PRICE}, context_tokens: 128000}}\n"
    )


def _begun(here: World) -> dict[str, Popen[str]]:
    """The commands of three batches, once all of them and the slow calls are in the middle."""
    for provider, ttft_ms in (("alpha", 60), ("slow", SLOW_MS)):
        wanted = {"match": {"provider": provider}, "latency": {"ttft_ms": ttft_ms, "sigma": 0.3}}
        here.simulated("PUT", "/_sim/latency", wanted)
    for _ in range(HELD):
        threading.Thread(target=_ask, args=(here,), daemon=True).start()
    running = {shape: _batch(here, shape, HANDED_OVER, "--mode", "provider") for shape in SHAPES}
    _until(lambda: _open_holds(here) == HELD, "the calls never held anything")
    _until(lambda: set(SHAPES.values()) <= _posted(here), "not every provider was handed its batch")
    running["alpha"] = _batch(here, "alpha", ASKED, "--concurrency", "8")
    _until(lambda: _answered_by(here, "alpha") >= ASKED // 3, "the batch was never answered")
    return running


def _batch(here: World, provider: str, lines: int, *options: str) -> Popen[str]:
    source, output = (here.folder / f"{provider}.{kind}" for kind in ("jsonl", "out.jsonl"))
    write_input(source, lines, model=f"{provider}/small")
    return here.command("run", str(source), "-o", str(output), "--json", *options)


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.01)


def _client(here: World) -> httpx.Client:
    key = (here.data_dir / "admin.key").read_text().strip()
    return httpx.Client(base_url=here.url, headers={"authorization": f"Bearer {key}"}, timeout=30.0)


def _ask(here: World) -> int:
    """The status of one call below the budget; 0: the server was gone before it answered."""
    body = {"model": "slow/small", "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]}
    with _client(here) as caller:
        headers = {"x-interchange-agent-id": "caller"}
        try:
            return caller.post("/v1/chat/completions", json=body, headers=headers).status_code
        except httpx.HTTPError:
            return 0


def _journals(here: World) -> list[Path]:
    directory = here.data_dir / "journal"
    return [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []


def _open_holds(here: World) -> int:
    boards = [read_board(path, started=machine_start()) for path in _journals(here)]
    return sum(len(board.holds) for board in boards if board is not None)


def _posted(here: World) -> set[str]:
    seen: list[Any] = here.simulated("GET", "/_sim/requests")["requests"]
    return {str(one["path"]) for one in seen if one["method"] == "POST"}


def _answered_by(here: World, provider: str) -> int:
    models: list[Any] = here.simulated("GET", "/_sim/bill")["models"]
    return sum(int(one["answered"]["requests"]) for one in models if one["provider"] == provider)


def _unresolved(here: World) -> list[dict[str, Any]]:
    with _client(here) as caller:
        found: list[dict[str, Any]] = caller.get("/api/v1/budgets/unresolved").json()["unresolved"]
    return found


def _resolve(here: World, entries: list[dict[str, Any]]) -> None:
    with _client(here) as caller:
        for entry in entries:
            told = {"attempt_id": entry["attempt_id"], "cost_usd": 0}
            assert caller.post("/api/v1/budgets/unresolved/resolve", json=told).status_code == 200


def _ended(here: World, provider: str, printed: str, bill: dict[str, Any]) -> Ended:
    rows = (
        "SELECT count(DISTINCT request.request_id), count(*), coalesce(sum(attempt.cost_nano_usd), 0) "
        "FROM usage_attempts AS attempt JOIN usage_requests AS request USING (request_id) "
        "WHERE attempt.provider = ?"
    )
    with closing(sqlite3.connect(here.data_dir / "interchange.db")) as database:
        count, attempts, cost = database.execute(rows, (provider,)).fetchone()
    return Ended(json.loads(printed.splitlines()[-1]), count, attempts, cost, bill)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_server_killed_while_the_provider_works_finds_its_batch_again(left: Left, shape: str) -> None:
    summary, rows, _, cost_nano_usd, bill = left.handed_over[shape]
    assert (summary["status"], summary["completed"]) == ("completed", HANDED_OVER), summary
    assert (int(bill["requests"]), rows) == (HANDED_OVER, HANDED_OVER)
    assert cost_nano_usd == int(bill["cost_nano_usd"])


def test_at_a_provider_that_knows_no_idempotency_keys_the_doubt_is_recorded(left: Left) -> None:
    summary, rows, attempts, cost_nano_usd, bill = left.asked
    assert len(left.answered) == ASKED and set(left.answered.values()) == {1}
    assert summary["unresolved_tries"] == rows - ASKED == attempts - ASKED > 0
    assert cost_nano_usd >= int(bill["cost_nano_usd"]), "what may have been billed is counted, as an estimate"


def test_what_a_killed_server_had_sent_counts_until_somebody_knows_its_bill(left: Left) -> None:
    assert len(left.entries) == HELD
    assert len({entry["held_usd"] for entry in left.entries}) == 1
    assert left.journals <= 1, "the dead server's folder is gone"
    assert left.entries_resolved == []
    assert left.statuses == [200, 200]


def test_a_clean_end_leaves_nothing_behind(left: Left) -> None:
    assert left.journals_at_end == []
