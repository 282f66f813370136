"""Keys, tenants, credentials, privacy, audit, settings and stops at `/ui`: seen, and changed by forms."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from domain.tenancy.session import digest_of
from tests.e2e.page_visits import Visit, once
from tests.e2e.stack import Stack

CONFIG = """
profile: embedded
providers:
  sim: {kind: openai, base_url: "{sim}/v1", api_key: "${SIM_KEY}", models: {small: {}}}
privacy:
  policies:
    strict: {default: redact}
guardrails:
  no-secrets: {kind: secret_leak, everywhere: true}
"""
PROVIDER_KEY = "sk-nobody-sees-this-one"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(
        tmp_path_factory.mktemp("data") / "data", CONFIG, environ={"SIM_KEY": PROVIDER_KEY}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


@pytest.fixture(scope="module")
def owner(stack: Stack) -> Iterator[Visit]:
    with Visit(stack, stack.key) as visit:
        yield visit


@pytest.fixture(scope="module")
def viewer(stack: Stack, api: httpx.Client) -> Iterator[Visit]:
    made = api.post("/api/v1/keys", json={"tenant_id": "default", "name": "viewer", "role": "viewer"})
    with Visit(stack, made.json()["key"]) as visit:
        yield visit


def test_a_key_is_made_with_a_budget_shown_once_changed_rotated_and_revoked(
    owner: Visit, api: httpx.Client
) -> None:
    made = owner.done(
        "keys/create",
        name="crawler",
        tenant_id="default",
        role="agent",
        allowed_models="auto\r\nsim/*",
        budget__limit_usd="5",
        budget__period="day",
    )
    key, key_id, budget_id = once(made)
    assert key.startswith("ik_") and api.get(f"/api/v1/budgets/{budget_id}").status_code == 200
    assert key not in owner.look("keys") + owner.look(f"keys/{key_id}")
    place = f"/api/v1/keys/{key_id}"
    assert api.get(place).json()["allowed_models"] == ["auto", "sim/*"]

    owner.done("keys/change", key_id=key_id, role="developer", team="search")
    changed = api.get(place).json()
    assert (changed["role"], changed["team"], changed["name"]) == ("developer", "search", "crawler")
    assert ">auto\nsim/*</textarea>" in owner.look(f"keys/{key_id}")
    assert budget_id in owner.look(f"keys/{key_id}")
    owner.done("keys/drop_budget", budget_id=budget_id, _item=key_id)
    assert budget_id not in owner.look(f"keys/{key_id}")

    rotated = once(owner.done("keys/rotate", key_id=key_id, overlap_seconds="0", _item=key_id))
    assert rotated[0].startswith("ik_") and rotated[0] != key
    owner.done("keys/revoke", key_id=key_id)
    assert api.get(place).json()["state"] == "revoked"
    assert "/ui/keys/revoke" not in owner.look(f"keys/{key_id}")


def test_bounds_of_a_key_are_cleared_by_emptying_them(owner: Visit, api: httpx.Client) -> None:
    until = "2090-01-01T00:00:00+00:00"
    bounds = {
        "allowed_models": ["auto"],
        "networks": ["127.0.0.0/8", "::1/128"],
        "assertable": ["agent:a, b"],
        "expires_at": until,
        "team": "search",
    }
    new = {"tenant_id": "default", "name": "bound", "role": "agent", **bounds}
    key_id = api.post("/api/v1/keys", json=new).json()["key_id"]
    place = f"/api/v1/keys/{key_id}"
    page = owner.look(f"keys/{key_id}")
    [shown] = re.findall(r'name="_shown" value="([^"]*)"', page)
    assert set(shown.split()) == set(bounds) and ">127.0.0.0/8\n::1/128</textarea>" in page

    # Saved as it is shown, it stays as it is: a comma belongs to a value.
    form = {name: "\r\n".join(value) if isinstance(value, list) else value for name, value in bounds.items()}
    owner.done("keys/change", key_id=key_id, role="agent", _shown=shown, **form, scopes="")
    kept = api.get(place).json()
    assert {name: kept[name] for name in bounds} == bounds and kept["scopes"] is None

    # A form that shows the bounds no more, and one that did not show them, clear nothing.
    owner.done("keys/change", key_id=key_id, role="agent", _shown=shown, name="bound still")
    owner.done("keys/change", key_id=key_id, role="agent", **dict.fromkeys(bounds, ""))
    assert {name: api.get(place).json()[name] for name in bounds} == bounds

    owner.done("keys/change", key_id=key_id, role="agent", _shown=shown, **dict.fromkeys(bounds, ""))
    cleared: dict[str, object] = {
        "allowed_models": None,
        "networks": [],
        "assertable": None,
        "expires_at": None,
        "team": "",
    }
    assert {name: api.get(place).json()[name] for name in bounds} == cleared
    assert api.get(place).json()["name"] == "bound still"


def test_a_key_with_an_unknown_role_is_refused_at_its_field(owner: Visit) -> None:
    said = owner.refused("keys/create", name="n", tenant_id="default", role="emperor")
    assert "role" in said


def test_a_viewer_is_offered_neither_keys_nor_settings_nor_stops(viewer: Visit) -> None:
    home = viewer.look("overview")
    for page in ("keys", "credentials", "audit", "settings", "stops"):
        assert f'href="/ui/{page}"' not in home and viewer.get(page).status_code == 403
    assert '<form method="post" action="/ui/tenants' not in viewer.look("tenants/default")


def test_a_tenant_a_project_and_a_role_are_made_and_removed(owner: Visit, api: httpx.Client) -> None:
    owner.done("tenants/create", tenant_id="acme", name="Acme", networks="10.0.0.0/8", projects="")
    assert api.get("/api/v1/tenants/acme").json()["networks"] == ["10.0.0.0/8"]
    page = owner.look("tenants/acme")
    assert ">10.0.0.0/8</textarea>" in page and "/ui/tenants/drop_role" not in page
    owner.done("tenants/change", tenant_id="acme", name="Acme Inc", state="suspended")
    assert api.get("/api/v1/tenants/acme").json()["state"] == "suspended"
    owner.done("tenants/project", tenant_id="acme", name="atlas", cost_center="cc-7", _item="acme")
    assert api.get("/api/v1/tenants/acme/projects").json()["projects"][0]["cost_center"] == "cc-7"
    owner.done("tenants/drop_project", tenant_id="acme", name="atlas", _item="acme")
    assert api.get("/api/v1/tenants/acme/projects").json()["projects"] == []

    owner.done("tenants/role", tenant_id="default", name="caller", permissions="llm.call\nusage.read")
    assert api.get("/api/v1/roles/caller").json()["permissions"] == ["llm.call", "usage.read"]
    assert "/ui/tenants/drop_role" in owner.look("tenants/default")
    owner.done("tenants/drop_role", name="caller")
    assert api.get("/api/v1/roles/caller").status_code == 404
    owner.done("tenants/delete", tenant_id="acme")


def test_a_credential_is_kept_replaced_and_removed_and_never_shown(owner: Visit, api: httpx.Client) -> None:
    back = owner.done("credentials/create", name="tickets", value="first-secret", integration="shared")
    assert back.startswith("/ui/credentials")
    [kept] = [
        each for each in api.get("/api/v1/credentials").json()["credentials"] if each["name"] == "tickets"
    ]
    place = f"credentials/{kept['credential_id']}"
    owner.done("credentials/replace", credential_id=kept["credential_id"], value="second-secret")
    for page in (owner.look("credentials"), owner.look(place)):
        assert "first-secret" not in page and "second-secret" not in page
    assert ">2<" in owner.look(place)

    said = owner.send("credentials/create", name="Not A Name", value="third-secret").text
    assert "third-secret" not in said and 'role="alert"' in said
    owner.done("credentials/rotation", kind="data")
    assert "Last rotation" in owner.look("credentials")
    owner.done("credentials/delete", credential_id=kept["credential_id"])
    assert owner.get(place).status_code == 404


def test_who_manages_tenants_keeps_credentials_of_another_tenant(
    owner: Visit, viewer: Visit, api: httpx.Client
) -> None:
    of_globex = {"tenant_id": "globex"}
    api.post("/api/v1/tenants", json=of_globex)
    led_to = owner.done("credentials/create", name="theirs", value="a-secret", **of_globex)
    assert led_to == "/ui/credentials?tenant_id=globex&done=create"
    [kept] = api.get("/api/v1/credentials", params=of_globex).json()["credentials"]
    place = f"credentials/{kept['credential_id']}"
    assert f"/ui/{place}?tenant_id=globex" in owner.look("credentials", **of_globex)
    assert "theirs" not in owner.look("credentials") and owner.get(place).status_code == 404
    assert "theirs" in owner.look(place, **of_globex)
    sent = {"credential_id": kept["credential_id"], **of_globex}
    owner.done("credentials/replace", value="another", _item=kept["credential_id"], **sent)
    assert owner.done("credentials/delete", **sent) == "/ui/credentials?tenant_id=globex&done=delete"
    assert viewer.get("credentials", **of_globex).status_code == 403


def test_policies_and_guardrails_are_tried_on_a_text(owner: Visit) -> None:
    page = owner.done("privacy/check", text="mail ada@example.com", policy="strict")
    assert "&lt;EMAIL_ADDRESS&gt;" in page and "What the policy makes of it" in page
    assert "What the guardrails say" in owner.done("privacy/guard", text="nothing", guardrails="no-secrets")
    assert "no-such" in owner.refused("privacy/check", text="t", policy="no-such")


def test_a_users_data_is_offered_and_forgotten_only_where_the_user_was_named(
    owner: Visit, viewer: Visit
) -> None:
    assert "/ui/privacy/erase" not in owner.look("privacy")
    page = owner.look("privacy", user="a/lice")
    assert 'href="/api/v1/privacy/subjects/a%2Flice"' in page and "/ui/privacy/erase" in page
    assert "/ui/privacy/erase" not in viewer.look("privacy", user="alice")
    assert "Erasures" in owner.done("privacy/erase", user_id="a/lice")


def test_entries_of_the_audit_trail_are_found_by_filters(owner: Visit) -> None:
    owner.look("audit")
    page = owner.look("audit", action="audit.read", kind="read")
    assert "audit.read" in page and "server.start" not in page
    assert "Nothing fits the filters." in owner.look("audit", actor="nobody-of-that-name")
    assert owner.get("audit", **{"from": "yesterday"}).status_code == 400
    entry = re.findall(r"/ui/audit/(default\.\d+)", page)[-1]
    shown = owner.look(f"audit/{entry}")
    assert "Proof" in shown or "checkpoint" in shown
    assert "All entries" in owner.look("audit/default.999999")


def test_settings_say_where_values_come_from_and_show_no_secret(owner: Visit, api: httpx.Client) -> None:
    page = owner.look("settings")
    assert "providers.sim.kind" in page and "${SIM_KEY}" in page and PROVIDER_KEY not in page
    assert "cache.l1_bytes" not in page
    every = owner.look("settings", all="true")
    assert "cache.l1_bytes" in every and PROVIDER_KEY not in every
    assert api.get("/api/v1/config", params={"defaults": "yes"}).status_code == 400
    assert "defaults" not in api.get("/api/v1/config").json()


def test_a_page_that_refreshes_itself_is_no_use_of_the_login_and_a_click_is(stack: Stack) -> None:
    used_us = "SELECT seen_at_us FROM login_sessions WHERE digest = ?"

    def ask(statement: str, *values: object) -> list[tuple[int]]:
        with closing(sqlite3.connect(stack.data_dir / "interchange.db", timeout=30)) as database, database:
            return database.execute(statement, values).fetchall()

    with Visit(stack, stack.key) as visit:
        digest = digest_of(visit.secret)
        [(before,)] = ask(used_us, digest)
        long_ago = before - 30 * 60 * 1_000_000
        ask("UPDATE login_sessions SET seen_at_us = ? WHERE digest = ?", long_ago, digest)

        part = visit.look("overview", part="live")
        assert "<html" not in part and ask(used_us, digest) == [(long_ago,)]
        visit.look("overview")
        assert ask(used_us, digest)[0][0] >= before


def test_whoever_is_logged_out_by_a_part_comes_back_to_the_whole_page(stack: Stack) -> None:
    answer = httpx.get(stack.url + "/ui/requests", params={"model": "a b", "part": "live"})
    assert answer.status_code == 204
    assert answer.headers["hx-redirect"] == "/ui/login?to=%2Fui%2Frequests%3Fmodel%3Da%2Bb"


def test_an_agent_is_stopped_and_released(owner: Visit, api: httpx.Client) -> None:
    owner.done("stops/stop", agent_id="researcher", reason="costs too much", for_s="3600")
    [stop] = api.get("/api/v1/stops").json()["stops"]
    assert stop["agent_id"] == "researcher" and "agent researcher" in owner.look("stops")
    owner.done("stops/lift", stop_id=stop["stop_id"])
    assert api.get("/api/v1/stops").json()["stops"] == []
    assert "Nobody is stopped." in owner.look("stops")
    assert "released" in owner.look("stops", ended="true")
    assert "agent_id" in owner.refused("stops/stop", reason="nobody named")
