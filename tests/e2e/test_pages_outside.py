"""Integrations, webhooks and events at `/ui`: seen as people see them, changed by their forms."""

import html
import json
import re
from collections.abc import Iterator

import httpx
import pytest

from adapters.memory.connector import MemorySide
from entrypoints.ui.pages.integration_acts import EXAMPLES, TYPES
from tests.e2e.memory_integrations import memory_integrations
from tests.e2e.page_visits import Visit, once
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

TOKEN = "a-token-nobody-may-see"
CONFIG = """
profile: embedded
simulator: {enabled: false}
webhooks:
  http_allowed: true
  endpoints:
    ops: {url: "https://example.com/hook", secret: "${OPS_SECRET}", events: ["key.*"]}
integrations:
  declared:
    type: storage
    configuration:
      endpoint: memory://open
      authentication: {type: none}
"""
SECRET = "whsec_" + "MDEyMzQ1Njc4OUFCQ0RFRjAxMjM0NTY3ODlBQkNERUY="
GUARDED = {"endpoint": "memory://guarded", "authentication": {"type": "token", "token": TOKEN}}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    sides = {"open": MemorySide(), "guarded": MemorySide(token=TOKEN)}
    with (
        memory_integrations(sides),
        Stack(tmp_path_factory.mktemp("data") / "data", CONFIG, environ={"OPS_SECRET": SECRET}) as running,
    ):
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


def test_an_integration_is_made_tested_paused_changed_and_removed_by_forms(
    owner: Visit, api: httpx.Client
) -> None:
    place = "/api/v1/integrations/drafts"
    owner.done(
        "integrations/create", integration_id="drafts", type="storage", configuration=json.dumps(GUARDED)
    )
    assert api.get(place).json()["status"] == "active"

    assert "It was reached" in owner.done("integrations/test", integration_id="drafts")
    back = owner.done("integrations/maintenance", integration_id="drafts", _item="drafts")
    assert back.startswith("/ui/integrations/drafts?done=")
    assert api.get(place).json()["status"] == "maintenance"
    owner.done("integrations/enable", integration_id="drafts")

    page = owner.look("integrations/drafts")
    assert "drafts.token" in page and TOKEN not in page
    shown = api.get(place).json()["configuration"]
    changed = json.dumps({**shown, "max_concurrency": 3})
    owner.done("integrations/change", integration_id="drafts", type="storage", configuration=changed)
    assert api.get(place).json()["configuration"]["max_concurrency"] == 3

    owner.done("integrations/delete", integration_id="drafts")
    assert api.get(place).status_code == 404


def test_an_integration_that_cannot_be_reached_is_refused_with_what_was_written(owner: Visit) -> None:
    written = json.dumps({**GUARDED, "authentication": {"type": "token", "token": "wrong"}})
    answer = owner.send(
        "integrations/create", integration_id="nowhere", type="storage", configuration=written
    )
    assert answer.status_code == 503 and "memory://guarded" in answer.text
    # What was written is all there, in an open form; what is checked was said before.
    assert '<option value="storage" selected>' in answer.text and 'value="nowhere"' in answer.text
    assert html.unescape(answer.text).count(written) == 1
    assert "reached once before anything is kept" in owner.look("integrations")

    said = owner.refused("integrations/create", integration_id="n", type="storage", configuration="{")
    assert "Configuration must be JSON" in said


def test_why_an_act_of_a_row_was_refused_is_told(owner: Visit) -> None:
    assert "none-such" in owner.refused("integrations/test", integration_id="none-such")


def test_what_the_file_declares_is_read_only_with_the_reason(owner: Visit) -> None:
    page = owner.look("integrations/declared")
    assert "interchange.yaml" in page and "change it there" in page
    assert "/ui/integrations/test" in page
    for act in ("delete", "change", "disable"):
        assert f"/ui/integrations/{act}" not in page
    assert "interchange.yaml" in owner.refused("integrations/disable", integration_id="declared")


def test_a_tool_is_shown_with_its_schema_and_tried_from_its_page(owner: Visit) -> None:
    listed = owner.look("integrations/declared")
    tools = re.findall(r"/ui/integrations/declared%2F(\w+)", listed)
    assert tools, listed[-3000:]
    page = owner.look(f"integrations/declared%2F{tools[0]}")
    assert "JSON Schema" in page and "/api/v1/tools/execute" in page

    again = owner.done(
        "integrations/try",
        integration_id="declared",
        tool_name="put",
        parameters='{"key": "colour", "value": "green"}',
        _item="declared/put",
    )
    assert "What it answered" in again
    said = owner.refused(
        "integrations/try", integration_id="declared", tool_name="none-such", parameters="{}"
    )
    assert "none-such" in said


@pytest.mark.parametrize("kind", TYPES)
def test_there_is_an_example_of_every_type(owner: Visit, kind: str) -> None:
    page = owner.look("integrations", example=kind)
    assert EXAMPLES[kind]["endpoint"] in page
    assert f'<option value="{kind}" selected>' in page


def test_a_viewer_sees_integrations_and_changes_none(viewer: Visit) -> None:
    page = viewer.look("integrations") + viewer.look("integrations/declared")
    assert '<form method="post" action="/ui/integrations' not in page
    assert "integrations.operate" in viewer.refused("integrations/test", integration_id="declared")


def test_who_manages_tenants_sees_and_changes_integrations_of_another_tenant(
    owner: Visit, viewer: Visit, api: httpx.Client
) -> None:
    api.post("/api/v1/tenants", json={"tenant_id": "acme"})
    of_acme = {"tenant_id": "acme"}
    led_to = owner.done(
        "integrations/create",
        integration_id="theirs",
        type="storage",
        configuration=json.dumps(GUARDED),
        **of_acme,
    )
    assert led_to == "/ui/integrations?tenant_id=acme&done=create"
    listed = owner.look("integrations", **of_acme)
    assert "/ui/integrations/theirs?tenant_id=acme" in listed and "Integrations of acme" in listed
    assert '<option value="acme" selected>' in listed and "theirs" not in owner.look("integrations")
    page = owner.look("integrations/theirs", **of_acme)
    assert page.count('name="tenant_id" value="acme"') >= 3 and "of their own tenant only" in page
    led_to = owner.done("integrations/disable", integration_id="theirs", _item="theirs", **of_acme)
    assert led_to == "/ui/integrations/theirs?tenant_id=acme&done=disable"
    said = owner.send("integrations/test", integration_id="theirs", _item="theirs", **of_acme)
    assert said.status_code in (200, 409, 503) and "of their own tenant only" in said.text
    shown = api.get("/api/v1/integrations/theirs", params=of_acme).json()
    assert (shown["status"], shown["tenant_id"]) == ("disabled", "acme")
    assert owner.get("integrations/theirs").status_code == 404

    assert 'name="tenant_id"' not in viewer.look("integrations") + viewer.look("webhooks")
    for name in ("integrations", "webhooks"):
        assert viewer.get(name, **of_acme).status_code == 403
    owner.done("integrations/delete", integration_id="theirs", **of_acme)


def test_who_manages_tenants_sees_and_changes_webhooks_of_another_tenant(
    owner: Visit, api: httpx.Client
) -> None:
    of_acme = {"tenant_id": "acme"}
    theirs = {"url": "https://example.com/in", "events": "experiment.*", "description": "Theirs"}
    made = owner.done("webhooks/create", **theirs, **of_acme)
    endpoint_id, _ = once(made)
    assert "Webhooks of acme" in made
    assert api.get(f"/api/v1/webhooks/{endpoint_id}").status_code == 404
    assert "Theirs" not in owner.look("webhooks")
    assert f"/ui/webhooks/{endpoint_id}?tenant_id=acme" in owner.look("webhooks", **of_acme)
    led_to = owner.done("webhooks/test", endpoint_id=endpoint_id, _item=endpoint_id, **of_acme)
    assert led_to == f"/ui/webhooks/{endpoint_id}?tenant_id=acme&done=test"

    def sent() -> str | None:
        found = re.search(
            r"%2F(whd_[^?\"]+)\?tenant_id=acme", owner.look(f"webhooks/{endpoint_id}", **of_acme)
        )
        return found and found[1]

    delivery_id = eventually(sent)
    assert "webhook.test" in owner.look(f"webhooks/{endpoint_id}%2F{delivery_id}", **of_acme)
    led_to = owner.done("webhooks/delete", endpoint_id=endpoint_id, **of_acme)
    assert led_to == "/ui/webhooks?tenant_id=acme&done=delete"
    assert api.get("/api/v1/webhooks", params=of_acme).json() == {"webhooks": []}


def test_a_webhook_shows_its_secret_once_and_is_paused_rotated_and_removed(
    owner: Visit, api: httpx.Client
) -> None:
    made = owner.done(
        "webhooks/create", url="https://example.com/in", events="key.*\ncost.*", description="Ours", format=""
    )
    endpoint_id, secret = once(made)
    assert secret.startswith("whsec_") and secret not in owner.look(f"webhooks/{endpoint_id}")
    place = f"/api/v1/webhooks/{endpoint_id}"
    assert api.get(place).json()["events"] == ["key.*", "cost.*"]

    owner.done("webhooks/pause", endpoint_id=endpoint_id)
    assert api.get(place).json()["state"] == "paused"
    owner.done("webhooks/resume", endpoint_id=endpoint_id)
    owner.done(
        "webhooks/change", endpoint_id=endpoint_id, url="https://example.com/in", events="*", concurrency="2"
    )
    assert api.get(place).json()["concurrency"] == 2
    rotated = once(owner.done("webhooks/rotate", endpoint_id=endpoint_id, _item=endpoint_id))
    assert rotated[0].startswith("whsec_") and rotated[0] != secret
    assert "https" in owner.refused("webhooks/change", endpoint_id=endpoint_id, url="ftp://x", events="*")
    owner.done("webhooks/delete", endpoint_id=endpoint_id)
    assert api.get(place).status_code == 404


def test_the_webhook_of_the_file_is_read_only_and_its_secret_is_nowhere(owner: Visit) -> None:
    page = owner.look("webhooks/wh_file_ops")
    assert "interchange.yaml" in page and SECRET not in page and SECRET not in owner.look("settings")
    assert "/ui/webhooks/delete" not in page and "/ui/webhooks/change" not in page


def _shows(page: str, text: str) -> str:
    return page if text in page else ""


def test_events_are_listed_filtered_opened_and_exported(owner: Visit, api: httpx.Client) -> None:
    key = api.post("/api/v1/keys", json={"tenant_id": "default", "name": "told", "role": "agent"}).json()
    page = eventually(lambda: _shows(owner.look("events", types="key.created"), key["key_id"]))
    seq = re.findall(r"/ui/events/(\d+)", page)[0]
    assert "key.created" in owner.look(f"events/{seq}")
    assert "There is no event" in owner.look("events/999999")
    assert "There is no event" in owner.look("events/x")
    assert key["key_id"] in owner.get("events", export="events", types="key.created", **{"as": "csv"}).text
    assert owner.get("events", **{"from": "yesterday"}).status_code == 400
