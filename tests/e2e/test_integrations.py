"""Integrations over HTTP, from making one to its end, with the other side in memory."""

from collections.abc import Iterator

import httpx
import pytest

from adapters.memory.connector import MemorySide
from tests.e2e.memory_integrations import memory_integrations
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

TOKEN = "a-token-nobody-may-see"
CONFIG = """
profile: embedded
simulator: {enabled: false}
integrations:
  declared:
    type: storage
    configuration:
      endpoint: memory://open
      authentication: {type: none}
      max_concurrency: 4
    monitoring: {interval_s: 5}
  everybodys:
    type: storage
    tenant: "*"
    configuration:
      endpoint: memory://open
      authentication: {type: token, token: "${SIDE_TOKEN}"}
"""
ROOT = "/api/v1/integrations"


@pytest.fixture(scope="module")
def sides() -> dict[str, MemorySide]:
    return {"open": MemorySide(), "guarded": MemorySide(token=TOKEN), "other": MemorySide(token="other")}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, sides: dict[str, MemorySide]) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("data")
    with (
        memory_integrations(sides),
        Stack(directory / "data", CONFIG, environ={"SIDE_TOKEN": TOKEN}) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def body(name: str | None = "guarded", side: str = "guarded", **authentication: object) -> dict[str, object]:
    said = {"type": "token", "token": TOKEN, **authentication}
    made: dict[str, object] = {
        "type": "storage",
        "configuration": {
            "endpoint": f"memory://{side}",
            "authentication": {key: value for key, value in said.items() if value != "-"},
            "circuit_breaker": {"failure_threshold": 3},
        },
        "monitoring": {"enabled": True, "interval_s": 30},
    }
    return made if name is None else {"integration_id": name, **made}


def execute(client: httpx.Client, name: str, tool: str = "put", **parameters: object) -> httpx.Response:
    said = parameters or {"key": "colour", "value": "green"}
    asked = {"integration_id": name, "tool_name": tool, "parameters": said}
    return client.post("/api/v1/tools/execute", json=asked)


def error(answer: httpx.Response) -> dict[str, str]:
    found: dict[str, str] = answer.json()["error"]
    return found


@pytest.fixture
def guarded(api: httpx.Client) -> Iterator[str]:
    answer = api.post(ROOT, json=body())
    assert answer.status_code == 201, answer.text
    yield "guarded"
    api.delete(f"{ROOT}/guarded")


def test_one_that_is_made_answers_as_published_and_is_called_at_once(api: httpx.Client) -> None:
    answer = api.post(ROOT, json=body("fresh"))

    assert answer.status_code == 201
    assert answer.json() == {
        "integration_id": "fresh",
        "status": "active",
        "health_check_url": "/api/v1/integrations/fresh/health",
    }
    health = api.get(answer.json()["health_check_url"]).json()
    assert (health["health"], health["availability"]) == ("healthy", 1.0)
    assert execute(api, "fresh").json()["result"] == {"key": "colour", "stored": True}
    assert api.delete(f"{ROOT}/fresh").json() == {"integration_id": "fresh", "removed": True}
    assert execute(api, "fresh").status_code == 404


def test_its_secret_is_in_the_vault_and_in_no_answer(api: httpx.Client, guarded: str) -> None:
    shown = api.get(f"{ROOT}/{guarded}")
    listed = api.get(ROOT)
    kept = api.get("/api/v1/credentials").json()["credentials"]

    assert shown.json()["configuration"]["authentication"] == {
        "type": "token",
        "token": {"credential": "guarded.token"},
    }
    assert shown.json()["configuration"]["circuit_breaker"] == {"failure_threshold": 3}
    assert all(TOKEN not in answer.text for answer in (shown, listed))
    [credential] = [each for each in kept if each["name"] == "guarded.token"]
    assert (credential["integration"], credential["field"]) == ("guarded", "token")
    refused = api.delete(f"/api/v1/credentials/{credential['credential_id']}")
    assert refused.status_code == 409
    assert "integrations.guarded" in error(refused)["message"]


def test_its_secret_goes_with_it(api: httpx.Client, guarded: str) -> None:
    api.delete(f"{ROOT}/{guarded}")

    names = [each["name"] for each in api.get("/api/v1/credentials").json()["credentials"]]
    assert "guarded.token" not in names


@pytest.mark.parametrize(
    ("said", "status", "code", "param"),
    [
        (body("declared", "open"), 409, "owned_by_file", "integration_id"),
        (body("everybodys", "open"), 409, "owned_by_file", "integration_id"),
        (body("no such id!"), 400, "invalid_request", "integration_id"),
        (body("away", "nowhere"), 503, "integration_unavailable", None),
        (body("away", token="wrong"), 503, "integration_unavailable", None),
        (body("away", token=None), 422, "invalid_configuration", "configuration.authentication.token"),
        (body("away", pasword="x"), 422, "invalid_configuration", "configuration.authentication.pasword"),
        (body("away", type="magic"), 422, "invalid_configuration", "configuration.authentication.type"),
        ({**body("away"), "type": "cellar"}, 422, "invalid_configuration", "type"),
        ({**body("away"), "type": "llm_provider"}, 422, "invalid_configuration", "configuration.endpoint"),
        ({**body("away"), "configuration": {}}, 422, "invalid_configuration", "configuration.endpoint"),
        ({**body("away"), "monitoring": {"interval_s": 1}}, 422, None, "monitoring.interval_s"),
        ({"integration_id": "away", "type": "storage"}, 422, None, "configuration"),
        (body("away", token={"credential": "none"}), 422, None, "configuration.authentication.token"),
    ],
)
def test_what_cannot_work_is_refused_by_its_field_and_nothing_is_kept(
    api: httpx.Client, said: dict[str, object], status: int, code: str | None, param: str | None
) -> None:
    answer = api.post(ROOT, json=said)

    assert answer.status_code == status, answer.text
    assert error(answer)["param"] == param, answer.text
    assert code in (None, error(answer)["code"])
    assert TOKEN not in answer.text
    assert api.get(f"{ROOT}/away").status_code == 404
    names = [each["name"] for each in api.get("/api/v1/credentials").json()["credentials"]]
    assert not any(name.startswith("away") for name in names)


def test_a_name_is_taken_once(api: httpx.Client, guarded: str) -> None:
    answer = api.post(ROOT, json=body())

    assert (answer.status_code, error(answer)["code"]) == (409, "integration_exists")


def test_a_password_in_the_endpoint_is_refused_and_not_repeated(api: httpx.Client) -> None:
    said = body("away")
    said["configuration"] = {**said["configuration"], "endpoint": "memory://me:hunter2@guarded"}  # type: ignore[dict-item]

    answer = api.post(ROOT, json=said)

    assert (answer.status_code, error(answer)["param"]) == (422, "configuration.endpoint")
    assert "hunter2" not in answer.text


def test_a_change_keeps_the_secret_that_is_not_sent(api: httpx.Client, guarded: str) -> None:
    changed = body(None, token="-")
    changed["monitoring"] = {"interval_s": 90}

    answer = api.put(f"{ROOT}/{guarded}", json=changed)

    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == 2
    assert answer.json()["monitoring"]["interval_s"] == 90
    assert execute(api, guarded).status_code == 200
    shown = api.get(f"{ROOT}/{guarded}").json()
    again = {name: shown[name] for name in ("type", "configuration", "monitoring")}
    assert api.put(f"{ROOT}/{guarded}", json=again).status_code == 200
    assert execute(api, guarded).status_code == 200


def test_a_kept_secret_is_not_sent_to_another_host(
    api: httpx.Client, guarded: str, sides: dict[str, MemorySide]
) -> None:
    for kept in ("-", {"credential": "guarded.token"}):
        answer = api.put(f"{ROOT}/{guarded}", json=body(None, "other", token=kept))
        assert answer.status_code == 422, answer.text
        assert error(answer)["param"] == "configuration.authentication.token"

    assert api.put(f"{ROOT}/{guarded}", json=body(None, "other", token="other")).status_code == 200
    assert execute(api, guarded, key="where", value="there").status_code == 200
    assert sides["other"].entries["where"] == "there"


def test_a_change_that_cannot_be_reached_changes_nothing(api: httpx.Client, guarded: str) -> None:
    before = api.get(f"{ROOT}/{guarded}").json()

    answer = api.put(f"{ROOT}/{guarded}", json=body(None, token="wrong"))

    assert (answer.status_code, error(answer)["code"]) == (503, "integration_unavailable")
    assert api.get(f"{ROOT}/{guarded}").json() == before
    assert execute(api, guarded).status_code == 200


def test_paused_ones_refuse_calls_until_they_go_on(api: httpx.Client, guarded: str) -> None:
    for act, state in (("disable", "disabled"), ("maintenance", "maintenance")):
        assert api.post(f"{ROOT}/{guarded}/{act}").json()["status"] == state
        refused = execute(api, guarded)
        assert (refused.status_code, error(refused)["code"]) == (503, "integration_unavailable")
    assert api.get(f"{ROOT}/{guarded}/health").json()["health"] == "maintenance"

    assert api.post(f"{ROOT}/{guarded}/enable").json()["status"] == "active"
    assert execute(api, guarded).status_code == 200


def test_a_test_tells_what_it_found_and_is_noted(
    api: httpx.Client, guarded: str, sides: dict[str, MemorySide]
) -> None:
    good = api.post(f"{ROOT}/{guarded}/test")
    sides["guarded"].reachable = False
    try:
        bad = [api.post(f"{ROOT}/{guarded}/test") for _ in range(2)]
        page = api.get(f"{ROOT}/{guarded}/health").json()
    finally:
        sides["guarded"].reachable = True

    assert good.json()["health"] == "healthy"
    assert set(good.json()["facts"]) == {"entries"}
    assert {answer.status_code for answer in bad} == {503}
    assert [check["state"] for check in page["checks"][:3]] == ["unhealthy", "degraded", "healthy"]
    assert (page["consecutive_failures"], page["health"]) == (2, "unhealthy")
    assert "cannot be reached" in page["error"]


def test_what_the_file_declares_is_used_and_left_alone(api: httpx.Client) -> None:
    shown = api.get(f"{ROOT}/declared").json()

    assert (shown["owner"], shown["status"]) == ("file", "active")
    assert shown["declared_in"].startswith("interchange.yaml:")
    assert shown["configuration"]["max_concurrency"] == 4
    assert execute(api, "declared", key="a", value=1).status_code == 200
    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/disable")):
        answer = api.request(method, f"{ROOT}/declared{path}", json=body(None, "open"))
        assert (answer.status_code, error(answer)["code"]) == (409, "owned_by_file")
    assert api.post(f"{ROOT}/declared/test").status_code == 200


def test_pages_hold_what_is_declared_and_what_is_made(api: httpx.Client, guarded: str) -> None:
    first = api.get(ROOT, params={"limit": 2}).json()
    rest = api.get(ROOT, params={"limit": 2, "after": first["next"]}).json()

    names = [each["integration_id"] for each in (*first["integrations"], *rest["integrations"])]
    assert names == ["declared", "everybodys", "guarded"]
    assert rest["next"] is None
    assert api.get(ROOT, params={"type": "api"}).json()["integrations"] == []


def test_a_key_sees_only_the_integrations_it_is_bound_to(
    api: httpx.Client, stack: Stack, guarded: str
) -> None:
    new = {"tenant_id": "default", "name": "bound", "role": "admin", "integrations": ["decl*"]}
    key = api.post("/api/v1/keys", json=new).json()["key"]
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as bound:
        listed = [each["integration_id"] for each in bound.get(ROOT).json()["integrations"]]
        seen = {path: bound.get(f"{ROOT}/{path}").status_code for path in ("declared", "guarded")}
        removed = bound.delete(f"{ROOT}/guarded").status_code
        made = bound.post(ROOT, json=body("another")).status_code

    assert listed == ["declared"]
    assert seen == {"declared": 200, "guarded": 404}
    assert (removed, made) == (404, 403)


def test_a_credential_of_the_vault_can_be_named_where_it_is_for_that(api: httpx.Client) -> None:
    for name, purpose in (("mine", "named"), ("providers", "provider")):
        new = {"name": name, "value": TOKEN, "integration": purpose}
        assert api.post("/api/v1/credentials", json=new).status_code == 201

    foreign = api.post(ROOT, json=body("named", token={"credential": "providers"}))
    named = api.post(ROOT, json=body("named", token={"credential": "mine"}))

    assert (foreign.status_code, error(foreign)["param"]) == (422, "configuration.authentication.token")
    assert named.status_code == 201, named.text
    assert execute(api, "named").status_code == 200
    api.delete(f"{ROOT}/named")
    names = [each["name"] for each in api.get("/api/v1/credentials").json()["credentials"]]
    assert "mine" in names


def test_another_tenant_uses_what_is_declared_for_everybody_and_nothing_else(
    api: httpx.Client, stack: Stack, guarded: str
) -> None:
    new = {"tenant_id": "acme", "name": "b", "role": "owner"}
    key = api.post("/api/v1/keys", json=new).json()["key"]
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as other:
        listed = [each["integration_id"] for each in other.get(ROOT).json()["integrations"]]
        shared = [other.get(f"{ROOT}/everybodys").json(), *other.get(ROOT).json()["integrations"]]
        called = execute(other, "everybodys", key="b", value=2)
        missing = other.get(f"{ROOT}/guarded")
        own = other.post(ROOT, json=body("guarded"))
        gone = other.delete(f"{ROOT}/guarded")

    assert listed == ["everybodys"]
    # How it is made is the operator's business.
    assert [(each["configuration"], each["declared_in"]) for each in shared] == [({}, None)] * 2
    assert api.get(f"{ROOT}/everybodys").json()["configuration"]["endpoint"] == "memory://open"
    assert called.status_code == 200, called.text
    assert missing.status_code == 404
    assert (own.status_code, gone.status_code) == (201, 200)
    assert api.get(f"{ROOT}/guarded").status_code == 200


def test_the_metrics_page_tells_of_each(api: httpx.Client, guarded: str) -> None:
    labels = 'tenant="default",integration="guarded",type="storage"'
    assert execute(api, guarded).status_code == 200

    page = eventually(lambda: looked_at(api.get("/metrics").text, labels))

    assert f"interchange_integration_up{{{labels}}} 1" in page.splitlines()
    assert f"interchange_integration_latency_seconds{{{labels}}}" in page


def looked_at(page: str, labels: str) -> str:
    """The page, once a look at the integration is on it."""
    return page if f"interchange_integration_up{{{labels}}}" in page else ""
