"""Backups that were made while a server worked, restored elsewhere and started on."""

import json
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from domain.money import parse_usd
from entrypoints.cli.main import interchange
from tests.contract.postgres_server import postgres_server
from tests.contract.test_row_security import APPLICATION, Walled
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key

CONFIG = """
providers:
  acme:
    kind: openai
    base_url: {sim}/v1
    api_key: k
    via: direct
    models:
      small: {input_usd_per_mtok: 100, output_usd_per_mtok: 200, max_output_tokens: 4096}
routes:
  assistant: {targets: [acme/small]}
budgets:
  - {name: all, scope: {tenant: default}, period: total, limit_usd: 500, hard: true}
"""
CHAT = {"model": "assistant", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find no configuration but what they are given."""
    monkeypatch.chdir(tmp_path)
    for name in ("INTERCHANGE_API_KEY", "INTERCHANGE_URL", "INTERCHANGE_CONFIG", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def command(data_dir: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(
        interchange, words, env={"INTERCHANGE_DATA_DIR": str(data_dir), **environ}, catch_exceptions=False
    )


def told(data_dir: Path, *words: str, **environ: str) -> Any:
    done = command(data_dir, *words, "--json", **environ)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


class Load:
    """Callers who ask until they are told to stop; `answered` are ids of requests that were."""

    def __init__(self, stack: Stack, key: str) -> None:
        self.answered: list[str] = []
        self._stack, self._key = stack, key
        self._over = threading.Event()
        self._first = threading.Semaphore(0)

    def _ask(self) -> None:
        with httpx.Client(
            base_url=self._stack.url, headers={"authorization": f"Bearer {self._key}"}
        ) as client:
            while not self._over.is_set():
                answer = client.post("/v1/chat/completions", json=CHAT)
                assert answer.status_code == 200, answer.text
                self.answered.append(answer.headers["x-request-id"])
                self._first.release()

    def __enter__(self) -> "Load":
        self._pool = ThreadPoolExecutor(4)
        self._asking = [self._pool.submit(self._ask) for _ in range(4)]
        return self

    def wait_for(self, requests: int) -> None:
        for _ in range(requests):
            assert self._first.acquire(timeout=30)

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for asking in self._asking:
            asking.result()


def rows(client: httpx.Client) -> dict[str, int]:
    """What each request cost in nano-dollars, by its id."""
    found: dict[str, int] = {}
    asked = {"limit": "500"}
    while True:
        page = client.get("/api/v1/requests", params=asked).json()
        found |= {row["request_id"]: row["cost_nano_usd"] or 0 for row in page["requests"]}
        if not page.get("next"):
            return found
        asked["after"] = page["next"]


def budget(client: httpx.Client) -> dict[str, Any]:
    (one,) = client.get("/api/v1/budgets").json()["budgets"]
    (account,) = client.get(f"/api/v1/budgets/{one['budget_id']}/accounts").json()["accounts"]
    found: dict[str, Any] = account
    return found


def test_a_backup_under_load_brings_back_keys_files_budgets_and_every_request_answered_before_it(
    tmp_path: Path,
) -> None:
    file, new = tmp_path / "b.tar.gz", tmp_path / "new"
    with Stack(tmp_path / "old", CONFIG) as stack, stack.client() as client:
        made = new_key(client)
        kept = client.post(
            "/v1/files", files={"file": ("a.jsonl", b'{"a": 1}\n')}, data={"purpose": "user_data"}
        ).json()
        with Load(stack, made["key"]) as load:
            load.wait_for(60)
            before = list(load.answered)
            assert told(tmp_path / "old", "backup", str(file), "--with-keys")["database"]
            load.wait_for(20)
    assert told(tmp_path, "restore", str(file), "--into", str(new))["missing"] == []

    with Stack(new, CONFIG) as stack, stack.client() as client:
        again = client.get("/v1/chat/completions", headers={"authorization": f"Bearer {made['key']}"})
        assert again.status_code == 405  # the key is known: it is the method that is wrong
        found = rows(client)
        assert set(before) <= found.keys() <= set(load.answered) | found.keys()
        stand = budget(client)
        spent = parse_usd(stand["spent_usd"]) + parse_usd(stand["unresolved_usd"])
        assert spent >= sum(found.values()) > 0
        assert parse_usd(stand["spent_usd"]) == sum(found.values())
        assert client.get(f"/v1/files/{kept['id']}/content").content == b'{"a": 1}\n'
    assert "entries are as they were written" in command(new, "audit", "verify").stdout


def test_without_its_keys_it_says_what_each_is_needed_for(tmp_path: Path) -> None:
    told(tmp_path / "old", "keys", "create", "bot")

    made = told(tmp_path / "old", "backup", str(tmp_path / "b"))
    missing = told(tmp_path, "restore", str(tmp_path / "b"), "--into", str(tmp_path / "new"))["missing"]

    assert made["keys"]["pepper.key"] == "left out"
    assert [line.partition(":")[0] for line in missing] == ["pepper.key", "audit.key"]
    assert not (tmp_path / "new" / "pepper.key").exists()


def test_a_directory_with_something_in_it_is_not_restored_into(tmp_path: Path) -> None:
    told(tmp_path / "old", "keys", "create", "bot")
    told(tmp_path / "old", "backup", str(tmp_path / "b"))

    refused = CliRunner().invoke(
        interchange, ["restore", str(tmp_path / "b"), "--into", str(tmp_path / "old")]
    )

    assert refused.exit_code == 1
    assert "is not empty" in str(refused.exception)
    assert {path.name for path in (tmp_path / "old").iterdir()} >= {"interchange.db", "pepper.key"}


def test_a_backup_is_entered_in_the_trail(tmp_path: Path) -> None:
    told(tmp_path / "old", "keys", "create", "bot")
    told(tmp_path / "old", "backup", str(tmp_path / "b"), "--with-keys")

    newest = told(tmp_path / "old", "audit", "list")[0]

    assert (newest["action"], newest["outcome"]) == ("backup", "done")


def test_before_an_upgrade_the_database_is_backed_up_as_it_is(tmp_path: Path) -> None:
    told(tmp_path / "old", "keys", "create", "bot")
    assert command(tmp_path / "old", "db", "downgrade", "0030", "--yes").exit_code == 0

    assert told(tmp_path / "old", "backup", str(tmp_path / "b"))["schema"] == "0030"
    assert command(tmp_path / "old", "db", "current").stdout.strip() == "0030"
    told(tmp_path, "restore", str(tmp_path / "b"), "--into", str(tmp_path / "new"))
    assert command(tmp_path / "new", "db", "current").stdout.strip() == "0030"


@pytest.fixture
def walled() -> Iterator[Walled]:
    walled = Walled()
    yield walled
    walled.server.drop(walled.name)


def test_on_postgresql_the_directory_comes_first_and_then_the_line_it_tells(
    tmp_path: Path, walled: Walled
) -> None:
    file, new = tmp_path / "b.tar.gz", tmp_path / "new"
    programs = postgres_server()._server.bin_path
    with Stack(tmp_path / "old", CONFIG, environ={"DATABASE_URL": walled.url}) as stack:
        key = stack.key
        with Load(stack, key) as load:
            load.wait_for(40)
            before = list(load.answered)
            refused = command(tmp_path / "old", "backup", str(file), DATABASE_URL=walled.url)
            made = told(
                tmp_path / "old", "backup", str(file), "--with-keys", "--without-database",
                DATABASE_URL=walled.url,
            )  # fmt: skip
            line = re.search(r"PGOPTIONS=.*", refused.output)
            assert refused.exit_code == 1 and line is not None and not made["database"]
            dumped = subprocess.run(
                ["bash", "-c", f"PATH={shlex.quote(str(programs))}:$PATH; {line[0]}"],
                cwd=tmp_path, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert dumped.returncode == 0, dumped.stderr
    name = walled.server.new_database()
    walled.server.run(f"ALTER DATABASE {name} OWNER TO {APPLICATION}")
    url = walled.server.url(name).replace("postgres@", f"{APPLICATION}@")
    into = [programs / "pg_restore", "--no-owner", "--exit-on-error", "--dbname", url, "interchange.dump"]
    loaded = subprocess.run(into, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert loaded.returncode == 0, loaded.stderr
    assert told(tmp_path, "restore", str(file), "--into", str(new))["missing"] == [
        "the database: restore its dump with pg_restore before the start"
    ]

    with Stack(new, CONFIG, environ={"DATABASE_URL": url}) as stack, stack.client() as client:
        assert stack.key == key
        found = rows(client)
        assert set(before) <= found.keys()
        assert parse_usd(budget(client)["spent_usd"]) == sum(found.values())
    walled.server.drop(name)
