"""A killed server's open holds are found by the next one; a clean end leaves nothing behind."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from adapters.disk.board_format import machine_start, read_board
from benchmarks.batch_proof import World, world

BUDGET = """
budgets:
  - {name: all, scope: {tenant: default}, period: total, limit_usd: 1, hard: true}
"""
SLOW_MS = 20_000


def client(here: World) -> httpx.Client:
    key = (here.data_dir / "admin.key").read_text().strip()
    return httpx.Client(base_url=here.url, headers={"authorization": f"Bearer {key}"}, timeout=30.0)


def ask(here: World, **more: Any) -> int:
    body = {"model": "alpha/small", "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]}
    with client(here) as caller:
        try:
            return caller.post("/v1/chat/completions", json=body | more).status_code
        except httpx.HTTPError:
            return 0


def journals(here: World) -> list[Path]:
    directory = here.data_dir / "journal"
    return [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []


def open_holds(here: World) -> int:
    boards = [read_board(path, started=machine_start()) for path in journals(here)]
    return sum(len(board.holds) for board in boards if board is not None)


def unresolved(here: World) -> list[dict[str, Any]]:
    with client(here) as caller:
        found: list[dict[str, Any]] = caller.get("/api/v1/budgets/unresolved").json()["unresolved"]
    return found


def test_what_a_killed_server_had_sent_counts_until_somebody_knows_its_bill(tmp_path: Path) -> None:
    with world(tmp_path, latency_ms=0, more_config=BUDGET) as here:
        here.start_server()
        assert ask(here) == 200
        here.simulated("PUT", "/_sim/latency", {"latency": {"ttft_ms": SLOW_MS}})
        calls = [threading.Thread(target=ask, args=(here,), daemon=True) for _ in range(3)]
        for call in calls:
            call.start()
        give_up = time.monotonic() + 20
        while open_holds(here) < 3:
            assert time.monotonic() < give_up, "the calls never held anything"
            time.sleep(0.05)

        here.kill_server()
        here.start_server()

        entries = unresolved(here)
        assert len(entries) == 3
        assert len({entry["held_usd"] for entry in entries}) == 1
        assert len(journals(here)) <= 1, "the dead server's folder is gone"
        with client(here) as caller:
            for entry in entries:
                told = {"attempt_id": entry["attempt_id"], "cost_usd": 0}
                assert caller.post("/api/v1/budgets/unresolved/resolve", json=told).status_code == 200
        assert unresolved(here) == []
        here.simulated("DELETE", "/_sim/latency")
        assert ask(here) == 200

        here.stop_server_gently()
        assert journals(here) == [], json.dumps([str(path) for path in journals(here)])
