"""Webhooks through the whole server: registered, delivered to a real receiver, looked at, sent again."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG
from tests.e2e.webhook_receiver import WebhookReceiver

ROOT = "/api/v1/webhooks"
FILE_SECRET = "whsec_" + "MDEyMzQ1Njc4OUFCQ0RFRjAxMjM0NTY3ODlBQkNERUY="


def configured(receiver: WebhookReceiver) -> str:
    return CONFIG + (
        f"egress: {{allow: ['127.0.0.1:{receiver.port}']}}\n"
        "webhooks:\n"
        "  http_allowed: true\n"
        "  timeout_s: 2\n"
        "  schedule_s: [0, 0.2, 0.2]\n"
        "  jitter: 0\n"
        "  retry_after_max_s: 1\n"
        "  endpoints:\n"
        f"    from-file: {{url: '{receiver.url('/file')}', secret: '{FILE_SECRET}', events: [key.*]}}\n"
    )


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), configured(receiver)) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client
        for each in client.get(ROOT).json()["webhooks"]:
            if each["owner"] == "api":
                client.delete(f"{ROOT}/{each['endpoint_id']}")


def subscribed(client: httpx.Client, receiver: WebhookReceiver, path: str, **said: Any) -> dict[str, Any]:
    body = {"url": receiver.url(path), "events": ["webhook.test"], **said}
    made = client.post(ROOT, json=body)
    assert made.status_code == 201, made.text
    return dict(made.json())


def tried(client: httpx.Client, endpoint_id: str) -> str:
    answer = client.post(f"{ROOT}/{endpoint_id}/test")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def until(condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError


def log_of(client: httpx.Client, endpoint_id: str, **query: str) -> list[dict[str, Any]]:
    return list(client.get(f"{ROOT}/{endpoint_id}/deliveries", params=query).json()["deliveries"])


def test_what_is_sent_is_verified_by_the_official_library(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    made = subscribed(client, receiver, "/verified", description="ours")
    event_id = tried(client, made["endpoint_id"])

    (got,) = receiver.until("/verified", 1)

    said = Webhook(made["secret"]).verify(got.body.decode(), got.headers)
    assert said["id"] == event_id == got.headers["webhook-id"]
    assert (said["type"], said["tenant_id"]) == ("webhook.test", "default")
    assert said["data"]["endpoint_id"] == made["endpoint_id"]
    assert got.headers["user-agent"].startswith("Interchange/")
    (line,) = until(lambda: log_of(client, made["endpoint_id"], state="delivered"))
    assert (line["outcome"], line["status"], line["attempts"]) == ("delivered", 204, 1)
    shown = client.get(f"{ROOT}/{made['endpoint_id']}").json()
    assert "secret" not in shown and shown["state"] == "active"


def test_while_a_secret_is_being_replaced_both_verify(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    made = subscribed(client, receiver, "/rotated")
    rotated = client.post(f"{ROOT}/{made['endpoint_id']}/rotate-secret").json()
    tried(client, made["endpoint_id"])
    (got,) = receiver.until("/rotated", 1)

    assert rotated["secret"] != made["secret"] and rotated["overlap_s"] == 86_400
    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(got.body.decode(), got.headers)

    at_once = client.post(f"{ROOT}/{made['endpoint_id']}/rotate-secret", json={"overlap_s": 0}).json()
    tried(client, made["endpoint_id"])
    got = receiver.until("/rotated", 2)[1]
    assert len(got.headers["webhook-signature"].split()) == 1
    assert Webhook(at_once["secret"]).verify(got.body.decode(), got.headers)


def test_what_fails_is_tried_again_under_its_id_and_then_a_dead_letter(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    made = subscribed(client, receiver, "/down")
    receiver.behaviours["/down"] = lambda _number: 503
    event_id = tried(client, made["endpoint_id"])

    (dead,) = until(lambda: log_of(client, made["endpoint_id"], state="dead"))

    got = receiver.got["/down"]
    assert [each.headers["webhook-id"] for each in got] == [event_id] * 3
    assert len({each.body for each in got}) == 1
    assert (dead["attempts"], dead["status"], dead["outcome"]) == (3, 503, "http")
    in_full = client.get(f"{ROOT}/{made['endpoint_id']}/deliveries/{dead['delivery_id']}").json()
    assert in_full["event_id"] == event_id
    assert [each["status"] for each in in_full["log"]] == [503] * 3
    assert len(in_full["log"][0]["detail"]) <= 1024
    assert "\x1b" not in in_full["log"][0]["detail"] and "\x00" not in in_full["log"][0]["detail"]
    letters = client.get(f"{ROOT}/dead-letters").json()["deliveries"]
    assert dead["delivery_id"] in {each["delivery_id"] for each in letters}

    del receiver.behaviours["/down"]
    again = client.post(f"{ROOT}/{made['endpoint_id']}/deliveries/{dead['delivery_id']}/retry")
    assert again.status_code == 200 and again.json()["state"] == "waiting"
    until(lambda: log_of(client, made["endpoint_id"], state="delivered"))
    assert receiver.got["/down"][-1].headers["webhook-id"] == event_id


@pytest.mark.parametrize(
    ("status", "outcome"), [(302, "redirect"), (0, "broken"), (429, "http"), (404, "http")]
)
def test_every_other_answer_is_a_failure(
    client: httpx.Client, receiver: WebhookReceiver, status: int, outcome: str
) -> None:
    made = subscribed(client, receiver, f"/answers/{status}")
    receiver.behaviours[f"/answers/{status}"] = lambda _number: status
    tried(client, made["endpoint_id"])

    (dead,) = until(lambda: log_of(client, made["endpoint_id"], state="dead"))

    assert dead["outcome"] == outcome
    assert len(receiver.got[f"/answers/{status}"]) >= 3  # a reused connection that broke is replaced once


def test_410_disables_until_somebody_resumes(client: httpx.Client, receiver: WebhookReceiver) -> None:
    made = subscribed(client, receiver, "/gone")
    receiver.behaviours["/gone"] = lambda number: 410 if number == 1 else 204
    tried(client, made["endpoint_id"])
    disabled = until(
        lambda: (
            shown
            if (shown := client.get(f"{ROOT}/{made['endpoint_id']}").json())["state"] == "disabled"
            else None
        )
    )
    assert "410" in disabled["reason"]
    assert client.post(f"{ROOT}/{made['endpoint_id']}/test").status_code == 409

    assert client.post(f"{ROOT}/{made['endpoint_id']}/resume").json()["state"] == "active"
    replay = client.post(
        f"{ROOT}/{made['endpoint_id']}/replay", json={"since": "2020-01-01T00:00:00Z", "dead_only": True}
    )
    assert replay.json() == {"deliveries": 1, "more_since": None}
    until(lambda: log_of(client, made["endpoint_id"], state="delivered"))
    assert len({each.headers["webhook-id"] for each in receiver.got["/gone"]}) == 1


def test_a_paused_endpoint_gets_later_what_it_did_not_get(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    made = subscribed(client, receiver, "/paused", events=["key.created"])
    assert client.post(f"{ROOT}/{made['endpoint_id']}/pause").json()["state"] == "paused"
    key = client.post("/api/v1/keys", json={"tenant_id": "default", "name": "while paused", "role": "viewer"})
    assert key.status_code == 201, key.text
    until(lambda: log_of(client, made["endpoint_id"], state="waiting"))
    assert receiver.got["/paused"] == []

    client.post(f"{ROOT}/{made['endpoint_id']}/resume")

    (got,) = receiver.until("/paused", 1)
    assert got.event["type"] == "key.created"
    assert any(each.event["type"] == "key.created" for each in receiver.until("/file", 1))


def test_what_the_file_declares_is_shown_and_changed_nowhere_else(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    (declared,) = (each for each in client.get(ROOT).json()["webhooks"] if each["owner"] == "file")
    assert declared["endpoint_id"] == "wh_file_from-file"
    assert declared["declared_in"].startswith("interchange.yaml:")

    body = {"url": receiver.url("/other")}
    for answer in (
        client.put(f"{ROOT}/wh_file_from-file", json=body),
        client.delete(f"{ROOT}/wh_file_from-file"),
        client.post(f"{ROOT}/wh_file_from-file/rotate-secret"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "owned_by_file")

    tried(client, "wh_file_from-file")
    got = until(lambda: [each for each in receiver.got["/file"] if each.event["type"] == "webhook.test"])
    assert Webhook(FILE_SECRET).verify(got[0].body.decode(), got[0].headers)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"url": "ftp://example.com/x"}, "url"),
        ({"url": "https://user:word@example.com/"}, "url"),
        ({"url": "https://example.com/#x"}, "url"),
        ({"url": "https://exa mple.com/"}, "url"),
        ({"url": "https://[::1"}, "url"),
        ({"url": "https://example.com/", "events": []}, "events"),
        ({"url": "https://example.com/", "events": ["nothing.like_it"]}, "events"),
        ({"url": "https://example.com/", "filter": {"a b": 1}}, "filter"),
        ({"url": "https://example.com/", "concurrency": 0}, "concurrency"),
        ({"url": "https://example.com/", "rate_per_s": -1}, "rate_per_s"),
    ],
)
def test_what_cannot_work_is_refused_with_the_field(
    client: httpx.Client, body: dict[str, Any], param: str
) -> None:
    answer = client.post(ROOT, json=body)

    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"].split(".")[0] == param


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://[::ffff:127.0.0.1]:1/",
        "http://2130706433:1/",
        "http://0x7f.1:1/",
        "http://127.0.0.1:1/",
        "http://metadata.google.internal/",
    ],
)
def test_nothing_is_sent_to_where_nobody_may_connect(client: httpx.Client, url: str) -> None:
    made = client.post(ROOT, json={"url": url, "events": ["webhook.test"]})
    if made.status_code != 201:
        return
    tried(client, made.json()["endpoint_id"])

    (dead,) = until(lambda: log_of(client, made.json()["endpoint_id"], state="dead"))

    assert dead["outcome"] in ("egress", "dns") and dead["status"] is None


def test_the_secret_of_an_endpoint_is_no_credential_to_delete(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    made = subscribed(client, receiver, "/kept")
    name = f"{made['endpoint_id']}.signing"
    (row,) = (
        each for each in client.get("/api/v1/credentials").json()["credentials"] if each["name"] == name
    )

    refused = client.delete(f"/api/v1/credentials/{row['credential_id']}")
    client.delete(f"{ROOT}/{made['endpoint_id']}")

    assert refused.status_code == 409 and made["endpoint_id"] in refused.text
    assert name not in {each["name"] for each in client.get("/api/v1/credentials").json()["credentials"]}


def test_a_peer_that_speaks_no_tls_is_told_as_such(client: httpx.Client, receiver: WebhookReceiver) -> None:
    url = receiver.url("/plain").replace("http://", "https://")
    made = client.post(ROOT, json={"url": url, "events": ["webhook.test"]}).json()
    tried(client, made["endpoint_id"])

    (dead,) = until(lambda: log_of(client, made["endpoint_id"], state="dead"))

    assert dead["outcome"] == "tls"


def test_figures_are_on_the_metrics_page(client: httpx.Client, receiver: WebhookReceiver) -> None:
    made = subscribed(client, receiver, "/counted")
    tried(client, made["endpoint_id"])
    receiver.until("/counted", 1)

    wanted = (
        "interchange_webhook_oldest_due",
        'interchange_webhook_attempts_total{outcome="delivered"}',  # counted after the receiver has it
        "interchange_webhook_deliveries_open",
    )

    def told() -> bool:
        page = client.get("/metrics").text
        return all(name in page for name in wanted)

    assert until(told)
