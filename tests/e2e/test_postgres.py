"""The whole server on PostgreSQL: shared keys and rows, a database that restarts or stands still."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.postgres_server import PostgresServer, postgres_server
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

HELLO = {"model": "sim/echo", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def server() -> PostgresServer:
    return postgres_server()


@pytest.fixture
def database(server: PostgresServer) -> Iterator[str]:
    name = server.new_database()
    yield name
    server.drop(name)


def on(server: PostgresServer, database: str, directory: Path) -> Stack:
    environ = {"DATABASE_URL": server.url(database), "INTERCHANGE_KEY_PEPPER": f"1:{'ab' * 32}"}
    return Stack(directory, environ=environ)


def ask(client: httpx.Client, agent: str) -> httpx.Response:
    model = client.get("/v1/models").json()["data"][0]["id"]
    body = {**HELLO, "model": model}
    return client.post("/v1/chat/completions", json=body, headers={"x-interchange-agent-id": agent})


def listed(client: httpx.Client, agent: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/requests", params={"agent_id": agent})
    return list(answer.json().get("requests", [])) if answer.status_code == 200 else []


def test_two_instances_share_keys_and_rows_which_outlive_both(
    server: PostgresServer, database: str, tmp_path: Path
) -> None:
    with on(server, database, tmp_path / "a") as one:
        (tmp_path / "b").mkdir(mode=0o700)
        (tmp_path / "b" / "admin.key").write_text(one.key)
        with on(server, database, tmp_path / "b") as two, one.client() as client:
            assert ask(client, "first").status_code == 200
            made = client.post(
                "/api/v1/keys", json={"tenant_id": "default", "name": "n", "role": "developer"}
            ).json()
            theirs = {"authorization": f"Bearer {made['key']}"}
            assert eventually(lambda: httpx.get(f"{two.url}/v1/models", headers=theirs).status_code == 200)
            with two.client() as other:
                assert eventually(lambda: len(listed(other, "first")) == 1)
    with on(server, database, tmp_path / "a") as again, again.client() as client:
        assert len(listed(client, "first")) == 1
        (row,) = client.get("/api/v1/usage", params={"group_by": "tenant"}).json()["rows"]
        assert row["requests"] == 1
    assert not (tmp_path / "a" / "interchange.db").exists()


def test_a_database_that_restarts_is_found_again(
    server: PostgresServer, database: str, tmp_path: Path
) -> None:
    with on(server, database, tmp_path) as stack, stack.client() as client:
        assert ask(client, "before").status_code == 200
        server.restart()
        assert ask(client, "after").status_code == 200
        assert eventually(lambda: len(listed(client, "after")) == 1)
        assert len(listed(client, "before")) == 1


def test_answers_flow_while_the_database_stands_still_and_rows_arrive_when_it_goes_on(
    server: PostgresServer, database: str, tmp_path: Path
) -> None:
    with on(server, database, tmp_path) as stack, stack.client() as client:
        assert ask(client, "warm").status_code == 200
        assert eventually(lambda: len(listed(client, "warm")) == 1)
        server.pause()
        try:
            answers = [ask(client, "paused").status_code for _ in range(5)]
        finally:
            server.go_on()
        assert answers == [200] * 5
        assert eventually(lambda: len(listed(client, "paused")) == 5)
