"""A file as a database through the whole server: declared, asked with free SQL, guarded, stopped."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack

CONFIG = """
profile: embedded
simulator: {{enabled: false}}
connectors: {{folders: ["{folder}"]}}
integrations:
  shop:
    type: database
    configuration:
      endpoint: "sqlite://{folder}/shop.db"
      authentication: {{type: none}}
      free_sql: {{enabled: true, tables: [orders]}}
      queries:
        order:
          sql: SELECT id, total FROM orders WHERE id = :id
          parameters: {{id: {{type: integer}}}}
          returns: row
        forever:
          sql: WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("data")
    folder = directory / "open"
    folder.mkdir()
    with sqlite3.connect(folder / "shop.db") as made:
        made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total TEXT)")
        made.execute("CREATE TABLE secrets (word TEXT)")
        made.executemany("INSERT INTO orders VALUES (?, ?)", [(n, f"{n}.50") for n in range(1, 4)])
        made.execute("INSERT INTO secrets VALUES ('swordfish')")
    made.close()
    with (
        Stack(directory / "data", CONFIG.format(folder=folder)) as running,
        running.client() as client,
    ):
        yield client


def execute(api: httpx.Client, tool: str, parameters: dict[str, Any], **more: Any) -> httpx.Response:
    asked = {"integration_id": "shop", "tool_name": tool, "parameters": parameters, "timeout_seconds": 20}
    return api.post("/api/v1/tools/execute", json=asked | more)


def test_a_template_answers(api: httpx.Client) -> None:
    answer = execute(api, "order", {"id": 2})

    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["row"] == {"id": 2, "total": "2.50"}


def test_free_sql_answers_within_its_tables(api: httpx.Client) -> None:
    answer = execute(api, "query", {"sql": "SELECT count(*) AS n FROM orders; -- thanks"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["rows"] == [[3]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM secrets",
        "SELECT * FROM orders UNION SELECT 1, word FROM secrets",
        "SELECT 1; DELETE FROM orders",
        "ATTACH '/etc/passwd' AS x",
        "SELECT * FROM sqlite_master",
        "SELECT load_extension('x')",
    ],
)
def test_what_is_outside_is_refused_and_tells_nothing(api: httpx.Client, sql: str) -> None:
    answer = execute(api, "query", {"sql": sql})

    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == "tool_refused"
    assert "swordfish" not in answer.text
    assert execute(api, "query", {"sql": "SELECT count(*) FROM orders"}).json()["result"]["rows"] == [[3]]


def test_a_statement_that_never_ends_is_stopped(api: httpx.Client) -> None:
    answer = execute(api, "forever", {}, timeout_seconds=1)

    assert answer.status_code == 408, answer.text
    assert execute(api, "order", {"id": 1}).status_code == 200


def test_another_file_cannot_be_made_an_integration(api: httpx.Client) -> None:
    asked = {
        "integration_id": "passwd",
        "type": "database",
        "configuration": {"endpoint": "sqlite:///etc/passwd", "authentication": {"type": "none"}},
    }

    answer = api.post("/api/v1/integrations", json=asked)

    assert answer.status_code == 422, answer.text
    assert "connectors.folders" in answer.text
