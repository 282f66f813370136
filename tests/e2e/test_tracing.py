"""Traces of live requests, received by a collector: the tree, its times, and what others were told."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from domain.tracing.ids import span_id_of, trace_id_of
from tests.e2e.mcp_upstream import Upstream
from tests.e2e.stack import Stack
from tests.e2e.test_mcp import connected
from tests.e2e.three_wires import eventually, simulate
from tests.e2e.webhook_receiver import Got, WebhookReceiver
from tests.otlp_collector import OtlpCollector, Received

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SECRET_QUESTION = "what does zebra-4711 mean"

CONFIG = """
egress: {{allow: [127.0.0.1]}}
tracing:
  endpoint: {collector}
  headers: {{x-collector-key: collector-secret}}
  resource: {{deployment.environment.name: test}}
  propagate: [gateway, tools, webhooks, providers]
webhooks: {{http_allowed: true}}
cache: {{mode: exact}}
providers:
  alpha:
    kind: openai
    base_url: "{{sim}}/alpha/v1"
    api_key: provider-secret-alpha
    via: direct
    models: {{small: {model}}}
  beta:
    kind: anthropic
    base_url: "{{sim}}/beta"
    api_key: provider-secret-beta
    via: direct
    models: {{small: {model}}}
routes:
  assistant: {{strategy: priority, targets: [alpha/small, beta/small], retries: 0}}
"""
MODEL = (
    "{input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 128000, max_output_tokens: 4096, "
    "capabilities: [text, streaming, function_calling]}"
)


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpCollector]:
    with OtlpCollector() as running:
        yield running


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory, collector: OtlpCollector) -> Iterator[Stack]:
    config = CONFIG.format(collector=collector.url, model=MODEL)
    with Stack(tmp_path_factory.mktemp("data"), config) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


def caller_of(trace_id: str = TRACE, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{PARENT}-{flags}", "tracestate": "runtime=abc"}


@contextmanager
def told_service() -> Iterator[tuple[int, list[str]]]:
    """A service with its port, and the `traceparent` of each call it gets."""
    told: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.headers.get("traceparent", ""))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_port, told
        server.shutdown()
        thread.join(5)


def whole(spans: list[Received]) -> bool:
    return any(span.kind == 2 for span in spans)


def within(child: Received, parent: Received) -> bool:
    return parent.start_ns <= child.start_ns <= child.end_ns <= parent.end_ns


def sent_trace(stack: Stack, provider: str) -> str:
    """The `traceparent` that the simulated provider got with its last request."""
    headers = [one["headers"] for one in stack.simulator.requests if one["provider"] == provider]
    return str({name.lower(): value for name, value in dict(headers[-1]).items()}.get("traceparent", ""))


def ask(client: openai.OpenAI, text: str, headers: dict[str, str]) -> httpx.Headers:
    raw = client.chat.completions.with_raw_response.create(
        model="assistant", messages=[{"role": "user", "content": text}], extra_headers=headers
    )
    return httpx.Headers(raw.headers)


def test_a_failover_shows_each_attempt_below_the_callers_span(
    stack: Stack, client: openai.OpenAI, collector: OtlpCollector
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": 503}, match={"provider": "alpha"}, times=1
        ),
    )

    headers = ask(client, SECRET_QUESTION, {**caller_of(), "x-interchange-user-id": "user-4711"})

    assert headers["x-interchange-trace-id"] == TRACE
    request_id = headers["x-request-id"]
    spans = collector.trace(TRACE, whole)
    [root] = [span for span in spans if span.kind == 2]
    attempts = [span for span in spans if span.kind == 3]
    assert root.name == "chat assistant"
    assert root.span_id == span_id_of(request_id)
    assert root.parent_span_id == PARENT
    assert root.trace_state == "runtime=abc"
    assert not root.failed
    assert [span.name for span in attempts] == ["chat small", "chat small"]
    assert [span.failed for span in attempts] == [True, False]
    assert [span.attributes["gen_ai.system"] for span in attempts] == ["alpha", "beta"]
    assert attempts[0].attributes["http.response.status_code"] == 503
    assert attempts[0].attributes["error.type"] == attempts[0].attributes["interchange.outcome"]
    assert attempts[1].attributes["gen_ai.usage.output_tokens"] > 0
    assert all(span.parent_span_id == root.span_id for span in spans if span is not root)
    assert all(within(span, root) for span in spans)
    assert attempts[0].end_ns <= attempts[1].start_ns
    names = [span.name for span in spans]
    for step in ("cache lookup L1", "routing decision", "cache write", "response build"):
        assert step in names, names
    assert names.index("cache lookup L1") < names.index("routing decision") < names.index("chat small")
    assert names[-2:] == ["cache write", "response build"]
    # What was sent outward is what was recorded.
    assert sent_trace(stack, "alpha") == f"00-{TRACE}-{attempts[0].span_id}-01"
    assert sent_trace(stack, "beta") == f"00-{TRACE}-{attempts[1].span_id}-01"
    assert root.attributes["interchange.request.id"] == request_id
    assert root.attributes["interchange.tenant.id"] == "default"
    assert root.resource["service.name"] == "interchange"
    assert root.resource["deployment.environment.name"] == "test"
    told = json.dumps([span.attributes for span in spans])
    assert "zebra" not in told
    assert "user-4711" not in told
    assert "secret" not in told
    assert collector.messages[-1][1]["x-collector-key"] == "collector-secret"


def test_an_answer_from_the_cache_has_no_provider_in_its_trace(
    stack: Stack, client: openai.OpenAI, collector: OtlpCollector
) -> None:
    first, second = "1" * 32, "2" * 32

    ask(client, "the same question twice", caller_of(first))
    headers = ask(client, "the same question twice", caller_of(second))

    assert headers["x-interchange-cache"].startswith("hit")
    collector.trace(first, whole)
    spans = collector.trace(second, whole)
    assert [span.name for span in spans if span.kind == 3] == []
    [looked] = [span for span in spans if span.name == "cache lookup L1"]
    assert looked.attributes["interchange.cache"] == "hit-l1"


def test_a_stream_is_traced_to_its_end(stack: Stack, client: openai.OpenAI, collector: OtlpCollector) -> None:
    trace_id = "3" * 32

    stream = client.chat.completions.create(
        model="assistant",
        messages=[{"role": "user", "content": "tell me something long"}],
        stream=True,
        extra_headers=caller_of(trace_id),
    )
    assert sum(1 for _ in stream) > 1

    spans = collector.trace(trace_id, whole)
    [root] = [span for span in spans if span.kind == 2]
    [attempt] = [span for span in spans if span.kind == 3]
    assert root.attributes["interchange.streamed"] is True
    assert attempt.attributes["gen_ai.server.time_to_first_token"] > 0
    assert within(attempt, root)


def test_who_does_not_record_its_trace_is_not_recorded_here_and_passed_on_as_it_came(
    stack: Stack, client: openai.OpenAI, collector: OtlpCollector
) -> None:
    quiet, marker = "4" * 32, "5" * 32

    headers = ask(client, "a quiet question", caller_of(quiet, "00"))
    assert "x-interchange-trace-id" not in headers
    assert sent_trace(stack, "alpha") == f"00-{quiet}-{PARENT}-00"

    ask(client, "a marker", caller_of(marker))
    collector.trace(marker, whole)
    assert quiet not in {span.trace_id for span in collector.spans}


@pytest.mark.parametrize(
    "broken", ["", "00-zz-11-01", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"]
)
def test_a_broken_traceparent_keeps_nobody_from_an_answer(
    stack: Stack, client: openai.OpenAI, broken: str
) -> None:
    headers = ask(client, f"with {broken!r}", {"traceparent": broken})

    assert headers["x-request-id"]


def test_a_request_that_failed_is_recorded_without_being_asked_for(
    stack: Stack, client: openai.OpenAI, collector: OtlpCollector
) -> None:
    simulate(stack, lambda: stack.simulator.fault({"kind": "status", "status": 500}, match={}, times=2))

    with pytest.raises(openai.InternalServerError) as failed:
        ask(client, "this fails everywhere", {})

    trace_id = trace_id_of(failed.value.response.headers["x-request-id"])
    spans = collector.trace(trace_id, whole)
    [root] = [span for span in spans if span.kind == 2]
    assert root.failed
    assert root.parent_span_id == ""
    assert len([span for span in spans if span.kind == 3]) == 2


def test_what_is_exported_is_counted(stack: Stack) -> None:
    with stack.client() as http:
        # The collector has spans before they are counted as sent.
        assert eventually(lambda: 'interchange_spans_total{outcome="sent"}' in http.get("/metrics").text)
        page = http.get("/metrics").text

    assert "interchange_traces_recorded_total" in page
    assert re.search(r"^interchange_traces_dropped_total({})? 0", page, re.MULTILINE)


def test_a_tool_is_told_of_the_trace_and_shows_as_one(stack: Stack, collector: OtlpCollector) -> None:
    trace_id = "6" * 32
    with told_service() as (port, told), stack.client() as http:
        configuration = {
            "endpoint": f"http://127.0.0.1:{port}",
            "authentication": {"type": "none"},
            "check": {"method": "GET"},
            "tools": {"judge": {"path": "/x"}},
        }
        made = http.post(
            "/api/v1/integrations",
            json={"integration_id": "echo", "type": "api", "configuration": configuration},
        )
        assert made.status_code == 201, made.text
        said = http.post(
            "/api/v1/tools/execute",
            headers=caller_of(trace_id),
            json={"integration_id": "echo", "tool_name": "judge", "parameters": {}},
        )
        assert said.status_code == 200, said.text
    spans = collector.trace(trace_id, whole)
    [call] = [span for span in spans if span.kind == 3]
    assert call.name == "execute_tool judge"
    assert call.attributes["gen_ai.tool.name"] == "judge"
    assert call.attributes["interchange.integration.id"] == "echo"
    assert told[-1] == f"00-{trace_id}-{call.span_id}-01"


async def test_a_trace_goes_through_from_an_agents_client_to_an_mcp_server_behind_us(
    stack: Stack, collector: OtlpCollector
) -> None:
    """The client names it in the call itself; the server behind us gets the span of our call of it."""
    trace_id = "7" * 32
    with Upstream() as upstream, stack.client() as http:
        configuration = {"endpoint": upstream.url, "authentication": {"type": "none"}}
        made = http.post(
            "/api/v1/integrations",
            json={"integration_id": "behind", "type": "mcp", "configuration": configuration},
        )
        assert made.status_code == 201, made.text
        meta: Any = {"traceparent": f"00-{trace_id}-{PARENT}-01", "tracestate": "runtime=abc"}
        async with connected(stack, "auto") as client:
            result = await client.call_tool("behind.double", {"n": 21}, meta=meta)
        assert not result.is_error
        assert http.delete("/api/v1/integrations/behind").is_success
        [seen] = upstream.traces

    spans = collector.trace(trace_id, whole)
    [root] = [span for span in spans if span.kind == 2]
    [call] = [span for span in spans if span.kind == 3]
    assert (root.name, root.parent_span_id) == ("execute_tool double", PARENT)
    for span in (root, call):
        assert span.attributes["gen_ai.operation.name"] == "execute_tool"
        assert span.attributes["gen_ai.tool.name"] == "double"
        assert span.attributes["interchange.integration.id"] == "behind"
        assert span.attributes["interchange.outcome"] == "ok"
    assert seen["header"] == seen["meta"] == f"00-{trace_id}-{call.span_id}-01"
    assert seen["header_state"] == seen["meta_state"] == ""


async def test_an_mcp_server_that_shall_not_know_learns_nothing_of_a_trace(stack: Stack) -> None:
    with Upstream() as upstream, stack.client() as http:
        configuration = {
            "endpoint": upstream.url,
            "authentication": {"type": "none"},
            "trace_context": "off",
        }
        made = http.post(
            "/api/v1/integrations",
            json={"integration_id": "apart", "type": "mcp", "configuration": configuration},
        )
        assert made.status_code == 201, made.text
        meta: Any = {"traceparent": f"00-{'9' * 32}-{PARENT}-01", "tracestate": "runtime=abc"}
        async with connected(stack, "auto") as client:
            assert not (await client.call_tool("apart.double", {"n": 21}, meta=meta)).is_error
        assert http.delete("/api/v1/integrations/apart").is_success
        [seen] = upstream.traces

    assert set(seen.values()) == {""}


def test_a_webhook_tells_the_trace_of_the_request_that_caused_it(
    stack: Stack, client: openai.OpenAI, collector: OtlpCollector
) -> None:
    """In a header that is not signed; the event itself stays as it was."""
    asked: dict[str, str] = {}
    with WebhookReceiver() as receiver, stack.client() as http:
        made = http.post(
            "/api/v1/webhooks",
            json={"url": receiver.url("/traced"), "events": ["integration.request_completed"]},
        )
        assert made.status_code == 201, made.text

        def told() -> list[Got]:
            # A new subscription is heard of by the process that serves a moment later.
            trace_id = f"{'8' * 24}{len(asked):08x}"
            headers = ask(client, f"question {trace_id}", caller_of(trace_id))
            asked[headers["x-request-id"]] = trace_id
            return receiver.got["/traced"]

        got = eventually(told, within_s=30)[0]
        assert http.delete(f"/api/v1/webhooks/{made.json()['endpoint_id']}").is_success

    request_id = got.event["data"]["request_id"]
    assert got.headers["traceparent"] == f"00-{asked[request_id]}-{span_id_of(request_id)}-01"
    assert asked[request_id].encode() not in got.body
    spans = collector.trace(asked[request_id], whole)
    assert span_id_of(request_id) in {span.span_id for span in spans}


def test_a_collector_that_is_away_keeps_nobody_from_an_answer(tmp_path: Path) -> None:
    with OtlpCollector() as gone:
        url = gone.url
    config = CONFIG.format(collector=url, model=MODEL)
    with Stack(tmp_path, config) as stack, stack.client() as http:
        for number in range(20):
            answer = http.post(
                "/v1/chat/completions",
                headers=caller_of(f"{number + 1:032x}"),
                json={"model": "assistant", "messages": [{"role": "user", "content": f"question {number}"}]},
            )
            assert answer.status_code == 200
            assert answer.headers["x-interchange-trace-id"] == f"{number + 1:032x}"
