"""Several instances on one PostgreSQL whose policies hold them: all learn what one changes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.test_row_security import Walled
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, eventually

LINES = 300


@pytest.fixture
def walled() -> Iterator[Walled]:
    world = Walled()
    yield world
    world.server.drop(world.name)


def on(walled: Walled, directory: Path) -> Stack:
    environ = {"DATABASE_URL": walled.url, "INTERCHANGE_KEY_PEPPER": f"1:{'ab' * 32}"}
    return Stack(directory, CONFIG, environ=environ)


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    value: dict[str, Any] = answer.json()
    return value


def test_suspensions_and_roles_reach_every_instance(walled: Walled, tmp_path: Path) -> None:
    """Within a second on an idle machine; a busy one is waited for."""
    with on(walled, tmp_path / "a") as one:
        (tmp_path / "b").mkdir(mode=0o700)
        (tmp_path / "b" / "admin.key").write_text(one.key)
        with on(walled, tmp_path / "b") as two, one.client() as here, two.client() as there:
            made(here.put("/api/v1/tenants/acme", json={}))
            role = {"name": "seer", "tenant_id": "acme", "permissions": ["usage.read"]}
            made(here.post("/api/v1/roles", json=role))
            asked = {"tenant_id": "acme", "name": "k", "role": "seer"}
            key = {"authorization": f"Bearer {made(here.post('/api/v1/keys', json=asked))['key']}"}

            def status(path: str = "/api/v1/usage") -> int:
                return there.get(path, headers=key).status_code

            assert eventually(lambda: status() == 200)
            here.put("/api/v1/tenants/acme", json={"state": "suspended"})
            assert eventually(lambda: status() == 403)
            here.put("/api/v1/tenants/acme", json={"state": "active"})
            assert eventually(lambda: status() == 200)
            here.put("/api/v1/roles/seer", json={"tenant_id": "acme", "permissions": ["keys.read"]})
            assert eventually(lambda: status() == 403)
            assert status("/api/v1/keys") == 200


def test_a_suspended_tenants_batch_waits_and_goes_on(walled: Walled, tmp_path: Path) -> None:
    with on(walled, tmp_path) as stack, stack.client() as operator:

        async def slowly() -> None:
            stack.simulator.latency(ttft_ms=50)

        stack.run(slowly())
        asked = {"tenant_id": "acme", "name": "k", "role": "developer"}
        key = made(operator.post("/api/v1/keys", json=asked))["key"]
        with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}) as own:
            lines = "\n".join(json.dumps(line(number)) for number in range(LINES)).encode()
            file = made(own.post("/v1/files", files={"file": ("in", lines)}, data={"purpose": "batch"}))
            order = {
                "input_file_id": file["id"],
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
            }
            batch = made(own.post("/v1/batches", json=order))
            assert eventually(lambda: len(stack.simulator.requests) > 5)

            operator.put("/api/v1/tenants/acme", json={"state": "suspended"})

            def at_rest() -> int:
                """How many lines were asked, once what was on its way has arrived and no more come."""
                asked_so_far = len(stack.simulator.requests)
                time.sleep(0.3)
                return asked_so_far if asked_so_far == len(stack.simulator.requests) else 0

            assert eventually(at_rest) < LINES
            operator.put("/api/v1/tenants/acme", json={"state": "active"})

            def ended() -> dict[str, Any] | None:
                seen: dict[str, Any] = own.get(f"/v1/batches/{batch['id']}").json()
                return seen if seen["status"] not in ("validating", "in_progress", "finalizing") else None

            seen = eventually(ended, within_s=60.0)
            assert seen is not None
            assert (seen["status"], seen["request_counts"]["completed"]) == ("completed", LINES)


def line(number: int) -> dict[str, Any]:
    return {
        "custom_id": f"line-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "alpha/small", "messages": [{"role": "user", "content": f"say {number}"}]},
    }
