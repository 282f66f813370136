"""Stored credentials over HTTP, and a configuration that names them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrypoints.simulator.state import fingerprint
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import eventually

PATH = "/api/v1/credentials"
DOCUMENT = Document()
SECRET = "sk-live-4242424242"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that keep apart by names."""
    with Stack(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def add(client: httpx.Client, name: str, value: str = SECRET, **more: str) -> httpx.Response:
    return DOCUMENT.check(client.post(PATH, json={"name": name, "value": value, **more}))


def test_a_credential_goes_in_and_never_comes_out(client: httpx.Client) -> None:
    made = add(client, "openai")
    assert made.status_code == 201 and made.json()["version"] == 1
    one = f"{PATH}/{made.json()['credential_id']}"

    replaced = DOCUMENT.check(client.put(one, json={"value": SECRET + "!"}))
    listed = DOCUMENT.check(client.get(PATH))
    read = DOCUMENT.check(client.get(one))
    again = add(client, "openai")
    deleted = DOCUMENT.check(client.delete(one))
    gone = DOCUMENT.check(client.get(one))

    assert replaced.json()["version"] == 2 and read.json() == replaced.json()
    assert replaced.json() in listed.json()["credentials"]
    assert (again.status_code, again.json()["error"]["param"]) == (409, "name")
    assert deleted.status_code == 200 and gone.status_code == 404
    for answer in (made, replaced, listed, read, again, deleted, gone):
        assert "4242" not in answer.text and "4242" not in str(answer.headers)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "X Y", "value": SECRET},
        {"name": "../x", "value": SECRET},
        {"name": "x", "value": ""},
        {"name": "x", "value": SECRET * 4000},
        {"name": "x", "value": [SECRET]},
        {"name": "x", "value": SECRET, "more": SECRET},
        {"name": SECRET.upper(), "value": "y", "tenant_id": None},
    ],
)
def test_a_refusal_names_the_field_and_never_the_value(client: httpx.Client, body: dict[str, object]) -> None:
    refused = DOCUMENT.check(client.post(PATH, json=body))

    assert refused.status_code == 400 and refused.json()["error"]["param"]
    assert "sk-live" not in refused.text


def test_a_value_that_is_no_text_is_refused(client: httpx.Client) -> None:
    refused = client.post(PATH, content=b'{"name": "x", "value": "\\ud800"}')

    assert refused.status_code == 400


def test_tenants_know_nothing_of_each_other(client: httpx.Client, stack: Stack) -> None:
    acme, other = (new_key(client, tenant_id=tenant, role="admin") for tenant in ("acme", "other"))
    with with_key(stack, acme["key"]) as mine, with_key(stack, other["key"]) as theirs:
        made = add(mine, "shared-name").json()
        one = f"{PATH}/{made['credential_id']}"

        assert made["tenant_id"] == "acme"
        assert add(theirs, "shared-name", "theirs").status_code == 201
        assert [row["tenant_id"] for row in theirs.get(PATH).json()["credentials"]] == ["other"]
        assert theirs.get(one).status_code == theirs.delete(one).status_code == 404
        assert theirs.put(one, json={"value": "x"}).status_code == 404
        assert theirs.get(PATH, params={"tenant_id": "acme"}).status_code == 403
        assert theirs.get(one, params={"tenant_id": "acme"}).status_code == 403
        assert add(theirs, "intruder", tenant_id="acme").status_code == 403
        assert theirs.get(f"{PATH}/rotation").status_code == 403, "master keys are the operator's"
        assert theirs.post(f"{PATH}/rotation").status_code == 403
        assert client.get(one, params={"tenant_id": "acme"}).json() == made


def test_what_the_vault_keeps_for_itself_is_nobodys(client: httpx.Client) -> None:
    add(client, "something")

    for answer in (
        client.get(PATH, params={"tenant_id": ""}),
        client.delete(f"{PATH}/cred_1", params={"tenant_id": ""}),
        client.put(f"{PATH}/cred_1", params={"tenant_id": ""}, json={"value": "x"}),
        add(client, "manifest-signer-2", tenant_id=""),
    ):
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tenant_id")


def test_who_may_call_models_may_not_see_credentials(client: httpx.Client, stack: Stack) -> None:
    for role, status in (("agent", 403), ("developer", 403), ("viewer", 403), ("auditor", 200)):
        with with_key(stack, new_key(client, role=role)["key"]) as caller:
            assert caller.get(PATH).status_code == status, role
            assert add(caller, "nope").status_code == 403, role


def test_keys_turn_beside_requests(client: httpx.Client) -> None:
    add(client, "to-be-turned")
    before = DOCUMENT.check(client.get(f"{PATH}/rotation")).json()

    begun = DOCUMENT.check(client.post(f"{PATH}/rotation", json={"kind": "master"}))
    assert begun.status_code == 201

    def finished() -> Any:
        status = DOCUMENT.check(client.get(f"{PATH}/rotation")).json()
        return status if status["rotation"]["finished_at"] is not None else None

    after = eventually(finished)
    assert after["keys"][0]["key_id"] != before["keys"][0]["key_id"]
    assert [key["credentials"] for key in after["keys"][1:]] == [0] * (len(after["keys"]) - 1)
    bad = DOCUMENT.check(client.post(f"{PATH}/rotation", json={"kind": "everything"}))
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "kind")


NAMED = """
providers:
  acme:
    kind: openai
    base_url: "{sim}/v1"
    via: direct
    api_key: {credential: acme-key}
    models: {small: {}}
"""


def test_a_configuration_names_a_credential_and_follows_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Stack(data) as first, first.client() as client:
        assert add(client, "acme-key").status_code == 201
    with Stack(data, NAMED) as running, running.client() as client:
        body = {"model": "acme/small", "messages": [{"role": "user", "content": "hello"}]}

        def used(value: str) -> bool:
            assert client.post("/v1/chat/completions", json=body).status_code == 200
            return running.run(_last(running)) == f"[redacted {fingerprint(value)}]"

        assert used(SECRET)
        (row,) = client.get(PATH).json()["credentials"]
        one = f"{PATH}/{row['credential_id']}"
        refused = DOCUMENT.check(client.delete(one))
        assert refused.status_code == 409 and "providers.acme.api_key" in refused.json()["error"]["message"]

        assert client.put(one, json={"value": "sk-second"}).status_code == 200
        eventually(lambda: used("sk-second"))
        assert "sk-second" not in client.get("/api/v1/config").text
        assert "acme-key" in client.get("/api/v1/config").text

        client.post(f"{PATH}/rotation")
        assert used("sk-second")


async def _last(running: Stack) -> str:
    """The proof that the provider was shown last."""
    return str(running.simulator.requests[-1]["headers"]["authorization"])


def test_a_deleted_row_is_told_at_the_next_start(tmp_path: Path) -> None:
    with Stack(tmp_path) as running, running.client() as client:
        assert add(client, "gone").status_code == 201
        assert add(client, "stays").status_code == 201
    with sqlite3.connect(tmp_path / "interchange.db") as database:
        assert database.execute("DELETE FROM vault_credentials WHERE name = 'gone'").rowcount == 1

    with Stack(tmp_path) as running, running.client() as client:
        health = client.get("/health").text
        assert "listed and not there" in health
        assert "interchange_vault_findings{} 1" in client.get("/metrics").text
        assert add(client, "later").status_code == 201, "the others go on"


SEALED = """
providers:
  acme: {kind: openai, base_url: "{sim}/v1", via: direct, api_key: k, models: {small: {}}}
routes:
  kept: {targets: [acme/small], cache: {mode: exact}}
cache: {l2_encrypted: true}
"""


def test_kept_answers_are_sealed_under_keys_of_the_vault_and_survive_a_rotation(tmp_path: Path) -> None:
    body = {"model": "kept", "messages": [{"role": "user", "content": "a question about zebras"}]}

    def ask(client: httpx.Client) -> str:
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-interchange-cache"]

    with Stack(tmp_path, SEALED) as running, running.client() as client:
        assert ask(client) == "miss"
        assert DOCUMENT.check(client.post(f"{PATH}/rotation")).status_code == 201
        eventually(lambda: client.get(f"{PATH}/rotation").json()["rotation"]["finished_at"])
    with Stack(tmp_path, SEALED) as running, running.client() as client:
        assert ask(client).startswith("hit")
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("cache.db*"))
    assert kept and b"zebras" not in kept and b"assistant" not in kept
