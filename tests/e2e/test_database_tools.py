"""A real PostgreSQL as an integration, over HTTP: made, described, asked, streamed, stopped, guarded."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.postgres_network import PASSWORD, WRONG, NetworkPostgres, network_postgres
from tests.e2e.stack import Stack

CONFIG = """
profile: embedded
simulator: {enabled: false}
egress:
  allow: [127.0.0.1]
"""
ROOT = "/api/v1/integrations"
QUERIES: dict[str, Any] = {
    "person": {
        "description": "One person by number.",
        "sql": "SELECT id, name FROM people WHERE id = :id",
        "parameters": {"id": {"type": "integer"}},
        "returns": "row",
        "cache_ttl_s": 60,
    },
    "numbers": {
        "sql": "SELECT n::int4 AS n FROM generate_series(1, :n) AS n",
        "parameters": {"n": {"type": "integer"}},
    },
    "slow": {"sql": "SELECT pg_sleep(60), 'asked over http' AS slowly"},
}


@pytest.fixture(scope="module")
def server() -> NetworkPostgres:
    return network_postgres()


@pytest.fixture(scope="module")
def database(server: NetworkPostgres) -> str:
    return server.new_people()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("data")
    with Stack(directory / "data", CONFIG) as running, running.client() as client:
        yield client


def body(name: str, server: NetworkPostgres, database: str, **more: Any) -> dict[str, Any]:
    password = more.pop("password", PASSWORD)
    return {
        "integration_id": name,
        "type": "database",
        "configuration": {
            "endpoint": f"postgresql://127.0.0.1:{server.port}/{database}",
            "authentication": {"type": "password", "username": "agent", "password": password},
            "queries": QUERIES,
            "pool": {"max": 3},
        }
        | more,
    }


@pytest.fixture(scope="module")
def crm(api: httpx.Client, server: NetworkPostgres, database: str) -> str:
    answer = api.post(ROOT, json=body("crm", server, database))
    assert answer.status_code == 201, answer.text
    assert PASSWORD not in answer.text
    return "crm"


def execute(api: httpx.Client, tool: str, *, timeout_s: float = 20.0, **parameters: Any) -> httpx.Response:
    asked = {
        "integration_id": parameters.pop("integration", "crm"),
        "tool_name": tool,
        "parameters": parameters,
        "timeout_seconds": timeout_s,
    }
    return api.post("/api/v1/tools/execute", json=asked, timeout=30)


def test_a_query_is_a_tool_that_is_found_and_run(api: httpx.Client, crm: str) -> None:
    listed = api.get("/api/v1/tools").json()
    answer = execute(api, "person", id=3)

    names = [tool["tool_name"] for tool in listed["tools"] if tool["integration_id"] == crm]
    assert set(names) == {"person", "numbers", "slow", "list_tables", "describe_table", "explain"}
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["row"] == {"id": 3, "name": "Zoë 🧾"}
    assert execute(api, "person", id=3).json()["cached"] is True


def test_tables_are_found_and_plans_told(api: httpx.Client, crm: str) -> None:
    tables = execute(api, "list_tables").json()["result"]["tables"]

    assert [table["name"] for table in tables] == ["adults", "people"]
    assert execute(api, "explain", query="person", parameters={"id": 1}).json()["result"]["format"] == "json"


def test_parameters_are_compared_with_the_schema_first(api: httpx.Client, crm: str) -> None:
    answer = execute(api, "person", id="3 OR 1=1")

    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "parameters.id"


def test_a_result_of_any_size_is_streamed(api: httpx.Client, crm: str) -> None:
    asked = {
        "integration_id": crm,
        "tool_name": "numbers",
        "parameters": {"n": 50_000},
        "format": "application/jsonl",
    }

    answer = api.post("/api/v1/tools/execute", json=asked, timeout=30)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert len(answer.text.splitlines()) == 50_000


def test_a_query_that_takes_too_long_is_408_and_ends_on_the_server(
    api: httpx.Client, crm: str, server: NetworkPostgres
) -> None:
    answer = execute(api, "slow", timeout_s=0.5)

    assert answer.status_code == 408
    assert answer.json()["error"]["code"] == "execution_timeout"
    left = server.run(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%over http''%slowly' "
        "AND pid <> pg_backend_pid()"
    )
    assert left.strip() == "0"


def test_one_with_a_wrong_password_is_not_made_and_its_password_told_to_nobody(
    api: httpx.Client, server: NetworkPostgres, database: str
) -> None:
    answer = api.post(ROOT, json=body("wrong", server, database, password=WRONG))

    assert answer.status_code == 503
    assert WRONG not in answer.text
    assert api.get(f"{ROOT}/wrong").status_code == 404


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"readonly": True}, "readonly"),
        ({"queries": {"x": {"sql": "SELECT :a"}}}, "queries.x.sql"),
        ({"endpoint": "postgresql://agent:planted-in-url@127.0.0.1/x"}, "endpoint"),
    ],
)
def test_what_can_never_work_is_422_with_the_path(
    api: httpx.Client, server: NetworkPostgres, database: str, more: dict[str, Any], param: str
) -> None:
    answer = api.post(ROOT, json=body("never", server, database, **more))

    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"].endswith(param)
    assert "planted-in-url" not in answer.text


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[::ffff:169.254.169.254]", "127.0.0.2"])
def test_a_tenant_reaches_no_address_inside(
    api: httpx.Client, server: NetworkPostgres, database: str, host: str
) -> None:
    made = body("inside", server, database, endpoint=f"postgresql://{host}:5432/x")

    answer = api.post(ROOT, json=made)

    assert answer.status_code == 422, answer.text
    assert "not allowed" in answer.json()["error"]["message"]


def test_free_sql_is_guarded(api: httpx.Client, server: NetworkPostgres, database: str) -> None:
    made = body("free", server, database, free_sql={"enabled": True, "tables": ["people"]})
    assert api.post(ROOT, json=made).status_code == 201

    good = execute(api, "query", integration="free", sql="SELECT count(*) AS n FROM people")
    bad = execute(api, "query", integration="free", sql="DELETE FROM people")

    assert good.json()["result"]["rows"] == [[3]]
    assert bad.status_code == 422
    assert bad.json()["error"]["code"] == "tool_refused"
