"""The configuration file is taken over while requests run; a bad one changes nothing and is told."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

PRICE = "input_usd_per_mtok: 1, output_usd_per_mtok: 2, capabilities: [text, streaming]"
CONFIG = (
    "providers:\n"
    '  alpha: {kind: openai, base_url: "{sim}/alpha/v1", api_key: secret-of-alpha, via: direct, '
    f"models: {{small: {{{PRICE}}}}}}}\n"
    '  beta: {kind: openai, base_url: "{sim}/beta/v1", api_key: secret-of-beta, via: direct, '
    f"models: {{small: {{{PRICE}}}}}}}\n"
    "routes:\n"
    "  assistant: {strategy: priority, targets: [alpha/small, beta/small], retries: 0}\n"
)
DOCUMENT = Document()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, CONFIG) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def write(stack: Stack, text: str) -> None:
    path = stack.data_dir / "interchange.yaml"
    path.write_text(text.replace("{sim}", stack.simulator.base_url))


def ask(client: httpx.Client, model: str = "assistant", **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
    return client.post("/v1/chat/completions", json=body)


def reload_state(client: httpx.Client) -> dict[str, Any]:
    answer = DOCUMENT.check(client.get("/api/v1/config"))
    state: dict[str, Any] = answer.json()["reload"]
    return state


def test_a_changed_route_is_used_by_the_next_request(stack: Stack, client: httpx.Client) -> None:
    assert ask(client).headers["x-interchange-provider"] == "alpha"

    write(stack, CONFIG.replace("[alpha/small, beta/small]", "[beta/small]"))

    assert eventually(lambda: ask(client).headers["x-interchange-provider"] == "beta")
    assert eventually(lambda: reload_state(client)["reloads"] == 1)  # told once all of it is in use
    assert client.get("/health").json()["warnings"] == []


def test_a_provider_comes_and_another_goes(stack: Stack, client: httpx.Client) -> None:
    write(stack, CONFIG.replace("beta", "gamma"))

    assert eventually(lambda: ask(client, "gamma/small").status_code == 200)
    assert ask(client, "beta/small").status_code == 404
    assert [one["provider"] for one in client.get("/api/v1/providers/status").json()["providers"]] == [
        "alpha",
        "gamma",
    ]


def test_what_is_known_of_providers_that_stay_is_kept(stack: Stack, client: httpx.Client) -> None:
    client.put("/api/v1/providers/alpha/state", json={"state": "maintenance"})

    write(stack, CONFIG.replace("strategy: priority", "strategy: cost"))

    assert eventually(lambda: reload_state(client)["reloads"] == 1)
    states = {p["provider"]: p["forced"] for p in client.get("/api/v1/providers/status").json()["providers"]}
    assert states == {"alpha": "maintenance", "beta": None}


def test_a_bad_file_changes_nothing_and_is_told_everywhere(stack: Stack, client: httpx.Client) -> None:
    write(stack, CONFIG.replace("strategy: priority", "strategy: fastest"))

    assert eventually(lambda: reload_state(client)["failures"] == 1)
    told = reload_state(client)
    assert told["state"] == "failed"
    assert "interchange.yaml:5:" in told["problems"][0]
    assert "strategy" in told["problems"][0]
    assert ask(client).headers["x-interchange-provider"] == "alpha"
    assert any("not in use" in warning for warning in client.get("/health").json()["warnings"])
    assert "interchange_config_reload_failed{} 1" in client.get("/metrics").text

    write(stack, CONFIG)

    assert eventually(lambda: reload_state(client)["state"] == "in_use")
    assert "interchange_config_reload_failed{} 0" in client.get("/metrics").text


def test_a_target_that_nobody_offers_keeps_the_file_out(stack: Stack, client: httpx.Client) -> None:
    write(stack, CONFIG.replace("alpha/small, beta/small", "alpha/none-such"))

    assert eventually(lambda: reload_state(client)["failures"] == 1)
    assert ask(client).status_code == 200


def test_what_takes_a_restart_is_said_and_the_rest_is_taken(stack: Stack, client: httpx.Client) -> None:
    changed = CONFIG.replace("[alpha/small, beta/small]", "[beta/small]")
    write(
        stack, changed + "server: {workers: 3}\nlimits: {max_concurrent_requests: 7, provider_timeout_s: 9}\n"
    )

    assert eventually(lambda: ask(client).headers["x-interchange-provider"] == "beta")
    assert eventually(lambda: reload_state(client)["reloads"] == 1)
    state = reload_state(client)
    assert state["needs_restart"] == ["server", "limits.max_concurrent_requests"]
    shown = client.get("/api/v1/config").json()
    assert shown["settings"]["limits"]["provider_timeout_s"] == 9
    assert shown["settings"]["limits"]["max_concurrent_requests"] == 1000
    assert any("takes a restart" in warning for warning in shown["warnings"])


def test_a_name_that_both_have_keeps_the_file_out_until_one_of_them_is_gone(
    stack: Stack, client: httpx.Client
) -> None:
    client.put("/api/v1/routes/both", json={"targets": ["alpha/small"]})
    write(stack, CONFIG + "  both: {targets: [beta/small]}\n")

    assert eventually(lambda: reload_state(client)["failures"] == 1)
    (problem,) = reload_state(client)["problems"]
    assert "routes.both: declared in interchange.yaml:" in problem
    assert ask(client, "both").headers["x-interchange-provider"] == "alpha"

    client.delete("/api/v1/routes/both")

    assert eventually(lambda: ask(client, "both").headers.get("x-interchange-provider") == "beta")
    assert eventually(lambda: reload_state(client)["state"] == "in_use")
    assert client.get("/api/v1/routes/both").json()["owner"] == "file"


def test_no_secret_leaves_with_the_configuration(stack: Stack, client: httpx.Client) -> None:
    shown = client.get("/api/v1/config").text
    assert "secret-of-alpha" not in shown
    assert stack.key not in shown


def test_requests_in_flight_keep_the_provider_that_is_taken_away(stack: Stack, client: httpx.Client) -> None:
    answers: list[str] = []

    def stream() -> None:
        with stack.client() as own:
            body = {
                "model": "alpha/small",
                "messages": [{"role": "user", "content": "hello"}],
                "stream": True,
            }
            with own.stream("POST", "/v1/chat/completions", json=body) as answer:
                answers.append(answer.read().decode())

    simulate(stack, lambda: stack.simulator.latency(ttft_ms=1500, match={"provider": "alpha"}))
    running = [threading.Thread(target=stream) for _ in range(5)]
    for thread in running:
        thread.start()
    assert eventually(lambda: len(stack.simulator.requests) == 5)
    write(stack, CONFIG.replace("alpha", "omega"))
    assert eventually(lambda: ask(client, "omega/small").status_code == 200)
    assert ask(client, "alpha/small").status_code == 404
    for thread in running:
        thread.join(20)

    assert len(answers) == 5
    assert all("[DONE]" in answer for answer in answers)
