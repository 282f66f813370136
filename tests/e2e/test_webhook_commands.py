"""`interchange webhooks` against a running server."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.webhooks import webhooks
from tests.e2e.stack import Stack
from tests.e2e.test_webhooks import configured
from tests.e2e.webhook_receiver import WebhookReceiver


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), configured(receiver)) as running:
        yield running


def command(stack: Stack, *words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(webhooks, [*words, "--url", stack.url, "--key", stack.key])
    assert result.exit_code == status, result.output
    return result


def test_an_endpoint_is_made_tried_looked_at_and_removed(stack: Stack, receiver: WebhookReceiver) -> None:
    made = command(
        stack, "add", receiver.url("/cli"), "--event", "webhook.test", "--filter", "n=1", "--rate", "50"
    )
    endpoint_id, secret = made.output.split()[1].rstrip(";"), made.output.split()[-1]
    assert secret.startswith("whsec_")
    assert endpoint_id in command(stack, "list").output

    command(stack, "test", endpoint_id)
    (got,) = receiver.until("/cli", 1)
    assert got.event["data"]["endpoint_id"] == endpoint_id
    sent = json.loads(command(stack, "deliveries", endpoint_id, "--json").output)["deliveries"]
    in_full = command(stack, "delivery", endpoint_id, sent[0]["delivery_id"]).output
    assert got.event["id"] in in_full

    changed = json.loads(
        command(
            stack, "set", endpoint_id, "--ordered", "--rate", "0", "--description", "ours", "--json"
        ).output
    )
    assert (changed["ordered"], changed["rate_per_s"], changed["filter"]) == (True, None, {"n": 1})
    assert "whsec_" in command(stack, "rotate-secret", endpoint_id).output
    assert "paused" in command(stack, "pause", endpoint_id).output
    assert "active" in command(stack, "resume", endpoint_id).output
    command(stack, "retry", endpoint_id, sent[0]["delivery_id"])
    assert (
        "0 deliveries"
        in command(
            stack, "replay", endpoint_id, "--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z"
        ).output
    )
    assert "no deliveries" in command(stack, "dead-letters").output
    assert secret not in command(stack, "show", endpoint_id).output
    command(stack, "delete", endpoint_id)
    assert endpoint_id not in command(stack, "list").output


def test_what_the_server_refuses_is_told_and_the_status_is_1(stack: Stack) -> None:
    assert "no webhook endpoint" in command(stack, "show", "wh_nobody", status=1).output
    assert "https" in command(stack, "add", "ftp://example.com/", status=1).output
    assert command(stack, "add", "https://example.com/", "--filter", "nothing", status=2).output
