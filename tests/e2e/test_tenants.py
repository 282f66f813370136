"""Tenants, projects and roles over HTTP: what they make possible, and what they keep from happening."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    config = """
tenants:
  filed: {name: From the file, organisation: group-1}
roles:
  watcher: {description: sees usage, permissions: [usage.read, tenants.read, config.read]}
"""
    with Stack(tmp_path_factory.mktemp("tenants"), config) as running:
        yield running


def key_for(stack: Stack, tenant: str, role: str = "owner", **more: Any) -> str:
    with stack.client() as client:
        answer = client.post("/api/v1/keys", json={"tenant_id": tenant, "name": "k", "role": role, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])


def client_of(stack: Stack, key: str) -> httpx.Client:
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=30.0)


def until(check: Any, *, looks: int = 400) -> bool:
    for _ in range(looks):
        if check():
            return True
        time.sleep(0.05)
    return False


def test_a_tenant_is_described_shown_changed_and_removed(stack: Stack) -> None:
    with stack.client() as client:
        made = client.post(
            "/api/v1/tenants", json={"tenant_id": "acme", "name": "Acme", "residency": "eu-west"}
        )
        assert made.status_code == 201, made.text
        assert made.json()["owner"] == "api"
        assert made.json()["state"] == "active"
        assert client.post("/api/v1/tenants", json={"tenant_id": "acme"}).status_code == 409

        put = client.put("/api/v1/tenants/acme", json={"name": "Acme 2", "networks": ["10.0.0.0/8"]})
        assert put.status_code == 200, put.text
        assert client.get("/api/v1/tenants/acme").json()["networks"] == ["10.0.0.0/8"]

        assert client.delete("/api/v1/tenants/acme").json() == {"tenant_id": "acme", "removed": True}
        assert client.get("/api/v1/tenants/acme").status_code == 404


def test_a_wrong_description_names_its_field(stack: Stack) -> None:
    with stack.client() as client:
        for body, param in (
            ({"tenant_id": "Not Good"}, "tenant_id"),
            ({"tenant_id": "x", "networks": ["300.0.0.0/8"]}, "networks"),
            ({"tenant_id": "x", "residency": "atlantis"}, "residency"),
            ({"tenant_id": "x", "privacy": "nobodys"}, "privacy"),
            ({"tenant_id": "x", "state": "asleep"}, "state"),
            ({"tenant_id": "x", "egress": ["http://no"]}, "egress"),
            ({"tenant_id": "x", "surprise": 1}, "surprise"),
        ):
            answer = client.post("/api/v1/tenants", json=body)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


def test_what_the_file_declares_is_shown_and_not_changed(stack: Stack) -> None:
    with stack.client() as client:
        shown = client.get("/api/v1/tenants/filed").json()
        assert (shown["owner"], shown["organisation"]) == ("file", "group-1")
        assert "interchange.yaml" in shown["declared_in"]
        for answer in (
            client.put("/api/v1/tenants/filed", json={"name": "other"}),
            client.delete("/api/v1/tenants/filed"),
            client.put("/api/v1/roles/watcher", json={"permissions": ["llm.call"]}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "owned_by_file")


def test_a_first_key_makes_a_tenant_known_and_a_live_key_keeps_it(stack: Stack) -> None:
    key = key_for(stack, "newcomer")
    with stack.client() as client, client_of(stack, key) as own:
        assert client.get("/api/v1/tenants/newcomer").json()["described"] is False
        assert [t["tenant_id"] for t in own.get("/api/v1/tenants").json()["tenants"]] == ["newcomer"]
        refused = client.delete("/api/v1/tenants/newcomer")
        assert refused.status_code == 409
        assert "keys" in refused.json()["error"]["details"]["left"]


def test_a_suspended_tenant_is_refused_within_a_second_and_keeps_what_it_has(stack: Stack) -> None:
    key = key_for(stack, "sleepy")
    with stack.client() as client, client_of(stack, key) as own:
        assert own.get("/api/v1/key").status_code == 200
        assert client.put("/api/v1/tenants/sleepy", json={"state": "suspended"}).status_code == 200

        refused = own.get("/api/v1/key")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "tenant_suspended")
        kept = client.put("/api/v1/tenants/sleepy", json={"name": "still"}).json()
        assert kept["state"] == "suspended"

        client.put("/api/v1/tenants/sleepy", json={"state": "active"})
        assert own.get("/api/v1/key").status_code == 200


def test_the_operators_tenant_is_neither_suspended_nor_removed(stack: Stack) -> None:
    with stack.client() as client:
        assert client.put("/api/v1/tenants/default", json={"state": "suspended"}).status_code == 400
        assert client.delete("/api/v1/tenants/default").status_code == 409


def test_a_tenant_sees_itself_and_nobody_else(stack: Stack) -> None:
    one, two = key_for(stack, "mine"), key_for(stack, "theirs")
    with client_of(stack, one) as own:
        assert own.get("/api/v1/tenants/mine").status_code == 200
        others = own.get("/api/v1/tenants/theirs")
        nobodys = own.get("/api/v1/tenants/no-such")
        assert others.status_code == nobodys.status_code == 404
        assert (
            others.json()["error"]["message"].replace("theirs", "no-such")
            == (nobodys.json()["error"]["message"])
        )
        assert own.put("/api/v1/tenants/mine", json={}).status_code == 403
    assert two


def test_projects_give_keys_their_cost_centre_and_can_be_demanded(stack: Stack) -> None:
    key = key_for(stack, "planned")
    with stack.client() as client, client_of(stack, key) as own:
        made = own.put("/api/v1/tenants/planned/projects/web/shop", json={"cost_center": "CC-9"})
        assert made.status_code == 201, made.text
        assert [p["name"] for p in own.get("/api/v1/tenants/planned/projects").json()["projects"]] == [
            "web/shop"
        ]
        assert client.put("/api/v1/tenants/planned", json={"projects": "enforced"}).status_code == 200

        for project in ("", "other"):
            answer = own.post(
                "/api/v1/keys",
                json={"tenant_id": "planned", "name": "n", "role": "agent", "project": project},
            )
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "project"), answer.text
        good = own.post(
            "/api/v1/keys", json={"tenant_id": "planned", "name": "n", "role": "agent", "project": "web/shop"}
        )
        assert good.status_code == 201, good.text
        [record] = [k for k in own.get("/api/v1/keys").json()["keys"] if k["name"] == "n"]
        assert record["cost_center"] == "CC-9"

        assert own.delete("/api/v1/tenants/planned/projects/web/shop").status_code == 409


def test_a_role_of_ones_own_lets_do_what_it_says_and_follows_its_changes(stack: Stack) -> None:
    owner = key_for(stack, "roley")
    with client_of(stack, owner) as own:
        made = own.post("/api/v1/roles", json={"name": "support", "permissions": ["usage.read"]})
        assert made.status_code == 201, made.text
        created = own.post("/api/v1/keys", json={"tenant_id": "roley", "name": "s", "role": "support"})
        assert created.status_code == 201, created.text
        with client_of(stack, created.json()["key"]) as holder:
            assert holder.get("/api/v1/usage").status_code == 200
            assert holder.get("/api/v1/keys").status_code == 403

            own.put("/api/v1/roles/support", json={"permissions": ["keys.read"]})
            assert holder.get("/api/v1/keys").status_code == 200
            assert holder.get("/api/v1/usage").status_code == 403

        in_use = own.delete("/api/v1/roles/support")
        assert (in_use.status_code, in_use.json()["error"]["details"]["keys"]) == (409, 1)
        own.delete(f"/api/v1/keys/{created.json()['key_id']}")
        assert own.delete("/api/v1/roles/support").status_code == 200


def test_nobody_makes_a_role_that_holds_more_than_they_do(stack: Stack) -> None:
    owner = key_for(stack, "limited")
    with client_of(stack, owner) as own:
        own.post("/api/v1/roles", json={"name": "roler", "permissions": ["roles.write", "roles.read"]})
        roler = own.post("/api/v1/keys", json={"tenant_id": "limited", "name": "r", "role": "roler"}).json()[
            "key"
        ]
        own.post("/api/v1/roles", json={"name": "big", "permissions": ["keys.write", "llm.call"]})
    with client_of(stack, roler) as low:
        wider = low.post("/api/v1/roles", json={"name": "up", "permissions": ["keys.write"]})
        assert (wider.status_code, wider.json()["error"]["param"]) == (403, "permissions")
        assert low.put("/api/v1/roles/big", json={"permissions": ["roles.read"]}).status_code == 403
        assert low.delete("/api/v1/roles/big").status_code == 403
        assert (
            low.put("/api/v1/roles/roler", json={"permissions": ["roles.write", "keys.write"]}).status_code
            == 403
        )


def test_a_role_outside_the_operators_tenant_is_never_the_installations(stack: Stack) -> None:
    owner = key_for(stack, "wanting")
    with client_of(stack, owner) as own:
        answer = own.post("/api/v1/roles", json={"name": "x", "permissions": ["config.write"]})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "permissions")
        assert (
            own.post("/api/v1/roles", json={"name": "admin", "permissions": ["llm.call"]}).status_code == 409
        )
        shown = {role["name"]: role for role in own.get("/api/v1/roles").json()["roles"]}
        assert shown["watcher"]["owner"] == "file"
        assert shown["watcher"]["permissions"] == ["tenants.read", "usage.read"]
        watcher = own.post(
            "/api/v1/keys", json={"tenant_id": "wanting", "name": "w", "role": "watcher"}
        ).json()["key"]
    with client_of(stack, watcher) as holder:
        assert holder.get("/api/v1/usage").status_code == 200
        assert holder.get("/api/v1/config").status_code == 403


def test_another_tenants_roles_cannot_be_used_or_seen(stack: Stack) -> None:
    one, two = key_for(stack, "rolea"), key_for(stack, "roleb")
    with client_of(stack, one) as own, client_of(stack, two) as other:
        own.post("/api/v1/roles", json={"name": "secret-role", "permissions": ["usage.read"]})
        assert (
            other.post(
                "/api/v1/keys", json={"tenant_id": "roleb", "name": "n", "role": "secret-role"}
            ).status_code
            == 400
        )
        assert other.get("/api/v1/roles/secret-role").status_code == 404
        assert other.get("/api/v1/roles?tenant_id=rolea").status_code == 404
        assert other.delete("/api/v1/roles/secret-role?tenant_id=rolea").status_code == 404


def test_a_changed_file_suspends_a_tenant_while_requests_run(tmp_path: Path) -> None:
    config = "tenants:\n  filed: {state: %s}\n"
    with Stack(tmp_path, config % "active") as stack:
        key = key_for(stack, "filed")
        with client_of(stack, key) as own:
            assert own.get("/api/v1/key").status_code == 200
            (tmp_path / "interchange.yaml").write_text(config % "suspended")
            assert until(lambda: own.get("/api/v1/key").status_code == 403)


def test_over_a_hundred_active_tenants_keep_to_themselves(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack, stack.client() as client:
        keys: dict[str, str] = {}
        for name in (f"tenant-{number}" for number in range(110)):
            body = {"tenant_id": name, "name": "k", "role": "owner"}
            keys[name] = client.post("/api/v1/keys", json=body).json()["key"]
        assert len(client.get("/api/v1/tenants").json()["tenants"]) == 111
        for name, key in keys.items():
            own = {"authorization": f"Bearer {key}"}
            shown = client.get("/api/v1/tenants", headers=own).json()["tenants"]
            assert [tenant["tenant_id"] for tenant in shown] == [name]
            shown = client.get("/api/v1/keys", headers=own).json()["keys"]
            assert {each["tenant_id"] for each in shown} == {name}
