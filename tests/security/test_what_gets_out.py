"""What a real server writes and answers while everything goes wrong: no secret, and no line of a caller's.

A server of its own process, so that whatever it prints is seen. Secrets are planted wherever one can be kept;
afterwards its output, its answers and its files are searched for each, in the spellings they could take.
"""

import base64
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import pytest

from benchmarks.processes import Running

ROOT: Final = Path(__file__).parents[2]
PLANTED: Final = {
    "a provider key": "sk-planted-provider-Zq8vN3",
    "a header of a provider": "planted-header-Wm4rT7",
    "a credential in the vault": "planted-vault-Hs2kL9",
    "a bad key": "ik_live_AAAAAAAAAAAA_plantedbadkeyQx5cV1aaaaaaaaaaaaaaaaaaaaaaaaaa_000000",
    "the pepper": "c3" * 32,
    "a prompt": "planted-prompt-Bj6yD0",
    "an address": "planted.person@mail.example",
}
IN_FILES: Final = PLANTED.keys() - {"the pepper"}
FORGED: Final = 'x\r\n{"level":"CRITICAL","message":"forged-line-Lk3"}\x1b[2J\u2028{"forged-line-Lk3":1}'
CONFIG: Final = f"""
providers:
  first:
    kind: openai
    base_url: "%s/v1"
    api_key: {PLANTED["a provider key"]}
    headers: {{x-team: {PLANTED["a header of a provider"]}}}
    via: direct
    models: {{small: {{}}}}
  away:
    kind: openai
    base_url: "http://127.0.0.1:9/v1"
    api_key: {PLANTED["a provider key"]}
    via: direct
    models: {{small: {{}}}}
auth: {{failures_per_minute: 20}}
"""
START_S: Final = 180.0


class World:
    """The server, its simulated provider, and everything it was heard to say."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data_dir = folder, folder / "data"
        passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        python = [sys.executable, "-m"]
        self._simulator = Running(
            "simulator",
            [*python, "entrypoints.simulator", "--exit-with-parent"],
            log=folder / "simulator.log",
            environment=passed,
            keeps_stdin=True,
            folder=ROOT,
        )
        address = _until(lambda: json.loads((folder / "simulator.log").read_text().splitlines()[0])["url"])
        (folder / "interchange.yaml").write_text(CONFIG % address)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        own = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "INTERCHANGE_CONFIG": str(folder / "interchange.yaml"),
            "INTERCHANGE_DATA_DIR": str(self.data_dir),
            "INTERCHANGE_KEY_PEPPER": f"1:{PLANTED['the pepper']}",
        }
        self.server = Running(
            "server",
            [*python, "entrypoints.cli.main", "serve", "--no-portkey", "--no-simulator"],
            log=folder / "server.log",
            environment=passed | own,
            folder=ROOT,
        )
        _until(lambda: httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200)
        self.key = (self.data_dir / "admin.key").read_text().strip()
        self.answers: list[str] = []

    def asked(self, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}", **more.pop("headers", {})}  # type: ignore[dict-item]
        answer = httpx.request(method, self.url + path, headers=headers, timeout=20, **more)  # type: ignore[arg-type]
        self.answers.append(f"{dict(answer.headers)}\n{answer.text}")
        return answer

    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def stop(self) -> None:
        self.server.stop()
        self._simulator.stop()


def _until(found: object) -> str:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        try:
            if value := found():  # type: ignore[operator]
                return str(value)
        except (OSError, IndexError, ValueError, httpx.HTTPError):
            pass
        time.sleep(0.05)
    raise TimeoutError


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("gets-out"))
    try:
        _everything_goes_wrong(world)
        world.stop()
        yield world
    finally:
        world.stop()


def _chat(model: str) -> dict[str, object]:
    text = f"{PLANTED['a prompt']} {PLANTED['an address']} {FORGED}"
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def _everything_goes_wrong(world: World) -> None:
    made = world.asked(
        "POST", "/api/v1/credentials", json={"name": "n", "value": PLANTED["a credential in the vault"]}
    )
    assert made.status_code == 201, made.text
    for model in ("first/small", "away/small", "none/such"):
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"):
            body = {**_chat(model), "input": PLANTED["a prompt"], "max_tokens": 9}
            world.asked("POST", path, json=body)
            world.asked("POST", path, json={**body, "stream": True, "temperature": PLANTED["a prompt"]})
            world.asked("POST", path, content=b'{"model": "' + PLANTED["a prompt"].encode())
    for number in range(30):
        bad = {"authorization": f"Bearer {PLANTED['a bad key']}", "user-agent": f"a {number}"}
        world.asked("GET", "/v1/models", headers=bad)
    world.asked("GET", f"/v1/models/{quote(FORGED)}")
    world.asked("GET", f"/{quote(FORGED)}")
    world.asked(
        "POST", f"/api/v1/keys?x={quote(FORGED)}", json={"tenant_id": FORGED, "name": FORGED, "role": FORGED}
    )
    world.asked("POST", "/api/v1/stops", json={"agent_id": FORGED[:20], "reason": FORGED})
    world.asked("DELETE", f"/api/v1/keys/{quote(FORGED, safe='')}")
    plain = FORGED.encode("ascii", "ignore").replace(b"\r", b"").replace(b"\n", b" ").replace(b"\x1b", b"")
    for name in (b"user-agent", b"x-request-id", b"x-interchange-session-id", b"referer"):
        world.asked("GET", "/api/v1/key", headers={name.decode(): plain.decode()})
    for path in (
        "/metrics",
        "/api/v1/config",
        "/api/v1/credentials",
        "/api/v1/audit",
        "/api/v1/requests",
        "/health",
        "/api/v1/keys",
        "/api/v1/providers/status",
        "/api/v1/routes",
        "/openapi.json",
    ):
        assert world.asked("GET", path).status_code == 200, path


def spellings(secret: str) -> list[str]:
    """The ways a secret could be written down: as it is, escaped, encoded."""
    raw = secret.encode()
    return [
        secret,
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(secret),
        json.dumps(secret)[1:-1],
        secret[::-1],
    ]


@pytest.mark.parametrize("what", PLANTED)
def test_nothing_secret_is_printed(world: World, what: str) -> None:
    log = world.log()
    assert log

    assert not [spelling for spelling in spellings(PLANTED[what]) if spelling in log]


@pytest.mark.parametrize("what", sorted(PLANTED.keys() - {"a prompt", "an address"}))
def test_nothing_secret_is_answered(world: World, what: str) -> None:
    told = "\n".join(world.answers)

    assert not [spelling for spelling in spellings(PLANTED[what]) if spelling in told]


@pytest.mark.parametrize("what", sorted(IN_FILES))
def test_nothing_secret_is_in_the_files(world: World, what: str) -> None:
    """Neither in the database and its log, nor in journals, boards and caches."""
    for path in world.data_dir.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            found = [spelling for spelling in spellings(PLANTED[what]) if spelling.encode() in raw]
            assert not found, (path.name, found)


def test_the_owners_key_is_printed_once_at_most_and_kept_only_in_its_file(world: World) -> None:
    assert world.log().count(world.key) <= 1
    holding = {
        path.name
        for path in world.data_dir.rglob("*")
        if path.is_file() and world.key.encode() in path.read_bytes()
    }
    assert holding == {"admin.key"}


def test_no_caller_writes_a_line_of_the_log(world: World) -> None:
    for line in world.log().splitlines():
        assert not line.lstrip().startswith('{"level":"CRITICAL","message":"forged'), line
        assert not line.startswith('{"forged-line'), line
        assert "\x1b[2J" not in line, line
