"""Routes made through the API, and who owns which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from granian.errors import FatalError

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG

CHAT = "/v1/chat/completions"
DOCUMENT = Document()


def ask(client: httpx.Client, model: str) -> httpx.Response:
    return client.post(CHAT, json={"model": model, "messages": [{"role": "user", "content": "hello"}]})


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    hooks = {"response": [lambda answer: (answer.read(), DOCUMENT.check(answer))]}
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http


def test_a_route_is_made_used_replaced_and_removed(client: httpx.Client) -> None:
    made = client.put("/api/v1/routes/mine", json={"targets": ["beta/small"]})
    assert made.status_code == 201
    assert (made.json()["owner"], made.json()["in_use"]) == ("api", True)
    assert ask(client, "mine").headers["x-interchange-provider"] == "beta"
    assert "mine" in {model["id"] for model in client.get("/v1/models").json()["data"]}

    replaced = client.put("/api/v1/routes/mine", json={"strategy": "cost", "targets": ["alpha/small"]})
    assert replaced.status_code == 200
    assert ask(client, "mine").headers["x-interchange-provider"] == "alpha"
    assert client.get("/api/v1/routes/mine").json()["route"] == {
        "strategy": "cost",
        "targets": [{"target": "alpha/small"}],
    }

    assert client.delete("/api/v1/routes/mine").json() == {"name": "mine", "removed": True}
    assert ask(client, "mine").status_code == 404
    assert client.delete("/api/v1/routes/mine").status_code == 404
    assert client.get("/api/v1/routes/mine").status_code == 404


def test_what_the_file_declares_is_shown_and_not_changed(client: httpx.Client) -> None:
    shown = client.get("/api/v1/routes/assistant").json()
    assert shown["owner"] == "file"
    assert shown["declared_in"].startswith("interchange.yaml:")

    for refused in (
        client.put("/api/v1/routes/assistant", json={"targets": ["beta/small"]}),
        client.delete("/api/v1/routes/assistant"),
    ):
        assert refused.status_code == 409
        error = refused.json()["error"]
        assert error["code"] == "owned_by_file"
        assert shown["declared_in"] in error["message"]
    assert "assistant" in [route["name"] for route in client.get("/api/v1/routes").json()["routes"]]


@pytest.mark.parametrize(
    ("name", "body", "param"),
    [
        ("new", {"targets": []}, "targets"),
        ("new", {"targets": ["nobody/small"]}, "targets"),
        ("new", {"targets": ["alpha/none-such"]}, "targets"),
        ("new", {"targets": ["alpha"]}, "targets[0].target"),
        ("new", {"targets": ["alpha/small"], "retries": 99}, "retries"),
        ("new", {"targets": ["alpha/small"], "colour": "blue"}, "colour"),
        ("new", [], "body"),
        ("no spaces", {"targets": ["alpha/small"]}, "name"),
    ],
)
def test_a_route_that_could_not_work_is_refused(
    client: httpx.Client, name: str, body: Any, param: str
) -> None:
    answer = client.put(f"/api/v1/routes/{name}", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert client.get(f"/api/v1/routes/{name}").status_code == 404


def test_only_operators_of_the_installation_change_routes(client: httpx.Client, stack: Stack) -> None:
    route = {"targets": ["alpha/small"]}
    for role, tenant, reads, writes in (
        ("agent", "default", 403, 403),
        ("operator", "default", 200, 403),
        ("admin", "default", 200, 201),
        ("owner", "tenant-q", 403, 403),
    ):
        made = new_key(client, role=role, tenant_id=tenant, name=f"{role} of {tenant}")
        with with_key(stack, made["key"]) as theirs:
            assert theirs.get("/api/v1/routes").status_code == reads, role
            assert theirs.put("/api/v1/routes/by-role", json=route).status_code == writes, role
    client.delete("/api/v1/routes/by-role")


def test_a_route_survives_a_restart_and_clashes_with_the_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Stack(tmp_path, CONFIG) as stack, stack.client() as client:
        assert client.put("/api/v1/routes/kept", json={"targets": ["alpha/small"]}).status_code == 201
    with Stack(tmp_path, CONFIG) as stack, stack.client() as client:
        assert ask(client, "kept").status_code == 200

    clash = CONFIG + "  kept: {targets: [beta/small]}\n"
    with pytest.raises(FatalError), Stack(tmp_path, clash):
        pass
    assert "routes.kept: declared in interchange.yaml:" in caplog.text
    assert "also made through the API" in caplog.text


def test_a_route_whose_provider_is_gone_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    with Stack(tmp_path, CONFIG) as stack, stack.client() as client:
        for name, targets in (("half", ["alpha/small", "beta/small"]), ("none", ["beta/small"])):
            client.put(f"/api/v1/routes/{name}", json={"targets": targets})
    without_beta = CONFIG.replace("\n  beta:", "\n  delta:").replace("beta/small", "delta/small")
    without_beta = without_beta.replace("beta/", "delta/")
    with Stack(tmp_path, without_beta) as stack, stack.client() as client:
        assert ask(client, "half").status_code == 200
        assert ask(client, "none").status_code == 404
        assert client.get("/api/v1/routes/none").json()["in_use"] is False
        assert any("routes.none" in warning for warning in client.get("/health").json()["warnings"])
