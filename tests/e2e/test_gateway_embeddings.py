"""Questions embedded by a provider, through the whole server: in the caller's name, at the caller's cost, and
only where the caller's demands let a question go."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.embeddings.provider import ProviderVectors
from adapters.wire.embedding_vectors import OpenAiEmbeddings
from application.caching.gateway_embeddings import GatewayEmbeddings, SameForAll
from application.job import Attribution, Job
from application.ports.embedder import Embedder
from domain.errors import StoreUnavailable
from domain.llm.request import LlmRequest, Operation
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from domain.time import Deadline
from entrypoints.http.llm import LlmGate
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, sent

CONFIG = """
providers:
  acme:
    kind: openai
    base_url: "{sim}/acme/v1"
    api_key: k
    via: direct
    region: eu-west
    models:
      embed: {input_usd_per_mtok: 2, output_usd_per_mtok: 0, capabilities: [embeddings], context_tokens: 8192}
      chat: {input_usd_per_mtok: 2, output_usd_per_mtok: 2, capabilities: [text], context_tokens: 8192}
routes:
  assistant: {targets: [acme/chat]}
"""
TEXTS = ["How do I reset my password?", "Which planets have rings?"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("embeddings"), CONFIG) as running:
        yield running


@pytest.fixture
def dimensions(stack: Stack) -> int:
    """As many as the simulated provider gives."""
    body = {"model": "acme/embed", "input": "x"}
    with stack.client() as client:
        return len(client.post("/v1/embeddings", json=body).json()["data"][0]["embedding"])


@pytest.fixture
def gate(stack: Stack) -> LlmGate:
    faces = stack.application.faces
    assert faces is not None
    gate: LlmGate = faces.hot["POST", "/v1/embeddings"]._gate  # type: ignore[attr-defined]
    return gate


@pytest.fixture
def make(gate: LlmGate, dimensions: int) -> Callable[..., GatewayEmbeddings]:
    def make(model: str = "acme/embed", **options: Any) -> GatewayEmbeddings:
        vectors = ProviderVectors(model, dimensions)
        embeddings = GatewayEmbeddings(
            model=model, reader=gate.reader, wire=OpenAiEmbeddings(), make=vectors.embedder, **options
        )
        embeddings.attach(gate.pipeline)
        return embeddings

    return make


def asking(*, request_id: str = "req_first", may: bool = True, **demands: Any) -> Job:
    """A request whose question is to be compared."""
    principal = Principal(
        tenant_id="default",
        key_id="key_of_the_caller",
        key_name="x",
        role="agent",
        permissions=frozenset({"llm.call"} if may else ()),
        allowed_models=demands.pop("allowed_models", None),
    )
    return Job(
        request_id=request_id,
        principal=principal,
        request=LlmRequest(operation=Operation.CHAT, dialect="openai.chat", model="assistant", body=b"{}"),
        requirements=Requirements(**demands),
        plan=NO_PLAN,
        attribution=Attribution(agent_id="agent-7", workflow_id="flow-1"),
        started=0.0,
        started_at_us=0,
        deadline=Deadline(0.0),
    )


def rows(data_dir: Path, request_id: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(data_dir / "interchange.db") as database:
        return database.execute(
            "SELECT tenant_id, agent_id, workflow_id, operation, outcome, cost_nano_usd FROM usage_requests"
            " WHERE client_request_id = ?",
            (request_id,),
        ).fetchall()


def test_a_question_is_embedded_billed_and_recorded_under_its_caller(
    stack: Stack, make: Callable[..., GatewayEmbeddings]
) -> None:
    embedder: Embedder = make().for_job(asking(request_id="req_billed"))
    vectors = stack.run(embedder.embed(TEXTS))
    assert len(vectors) == 2
    assert sent(stack, "acme")["input"] == TEXTS

    (row,) = eventually(lambda: rows(stack.data_dir, "req_billed"))
    assert row[:5] == ("default", "agent-7", "flow-1", "embeddings", "ok")
    assert row[5] > 0


def test_a_question_goes_nowhere_its_caller_does_not_allow(
    stack: Stack, make: Callable[..., GatewayEmbeddings]
) -> None:
    before = len(stack.simulator.requests)
    refused = [
        asking(residency="us-east"),
        asking(compliance=frozenset({"hipaa"})),
        asking(tags=frozenset({"private"})),
        asking(allowed_models=frozenset({"acme/chat"})),
        asking(may=False),
    ]
    for job in refused:
        with pytest.raises(StoreUnavailable, match="gave no embeddings"):
            stack.run(make().for_job(job).embed(TEXTS))
    assert len(stack.simulator.requests) == before

    assert stack.run(make().for_job(asking(residency="eu-west")).embed(TEXTS))


def test_what_fails_is_recorded_as_failed(stack: Stack, make: Callable[..., GatewayEmbeddings]) -> None:
    with pytest.raises(StoreUnavailable):
        stack.run(make("acme/nothing-of-that-name").for_job(asking(request_id="req_failed")).embed(TEXTS))
    (row,) = eventually(lambda: rows(stack.data_dir, "req_failed"))
    assert row[3:5] == ("embeddings", "refused")


def test_a_provider_that_is_slow_is_given_up_and_recorded(
    stack: Stack, make: Callable[..., GatewayEmbeddings], gate: LlmGate
) -> None:
    embeddings = make(timeout_s=0.0)
    with pytest.raises(StoreUnavailable, match="within 0 s"):
        stack.run(embeddings.for_job(asking(request_id="req_slow")).embed(TEXTS))
    (row,) = eventually(lambda: rows(stack.data_dir, "req_slow"))
    assert row[4] == "cancelled"
    assert gate.pipeline.in_flight == 0


def test_only_so_many_run_at_once(stack: Stack, make: Callable[..., GatewayEmbeddings]) -> None:
    with pytest.raises(StoreUnavailable, match="running already"):
        stack.run(make(running_max=0).for_job(asking()).embed(TEXTS))


def test_before_there_is_a_pipeline_there_are_no_embeddings(stack: Stack, gate: LlmGate) -> None:
    unattached = GatewayEmbeddings(
        model="acme/embed",
        reader=gate.reader,
        wire=OpenAiEmbeddings(),
        make=ProviderVectors("a/b", 2).embedder,
    )
    with pytest.raises(StoreUnavailable, match="yet"):
        stack.run(unattached.for_job(asking()).embed(TEXTS))


async def test_a_local_embedder_is_the_same_for_everybody() -> None:
    from adapters.embeddings.hashing import HashingEmbedder

    hashing = HashingEmbedder()
    assert SameForAll(hashing).for_job(asking()) is hashing
