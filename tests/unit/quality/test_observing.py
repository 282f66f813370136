"""Looking at answers beside the requests: bounded, sampled, and never in anybody's way."""

import random

import pytest

from adapters.guardrails.json_schema import CompiledSchemas
from adapters.memory.quality import InMemoryQualityStore
from adapters.memory.system import SteppingClock
from adapters.wire.asked_schemas import DialectAskedSchemas
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.heads import DialectReader
from adapters.wire.turns import WireTurns
from application.job import Attribution, Job
from application.ports.llm import Block, UpstreamAnswer
from application.quality.judging import JUDGING, MARK, AnswerScorer, score_said
from application.quality.observing import UNWRITTEN_MAX, WAITING_MAX, AnswerObserver, QualityInspector
from application.quality.seen import ANSWER_BYTES_MAX, TEXT_CHARS_MAX
from domain.errors import StoreUnavailable
from domain.llm.request import LlmRequest, Operation
from domain.llm.stream import ContentKind, Delta
from domain.quality.checks import TEXT_CHECKS
from domain.quality.policy import NO_QUALITY, QualityPolicy
from domain.routing.plan import Plan
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from domain.tenancy.role import local_operator
from domain.time import Deadline
from tests.unit.routing._world import table_of, target

EVERYTHING = QualityPolicy(checks=TEXT_CHECKS, sample=1.0)
TARGET = table_of(target("acme/small")).targets[0]


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ("0", 0.0),
        (" 7\n", 0.7),
        ("10", 1.0),
        ("11", None),
        ("8/10", None),
        ("7.5", None),
        ("Score: 7", None),
        ("-1", None),
        ("", None),
        ("\u0667", None),
    ],
)
def test_a_judge_says_one_whole_number_or_nothing(said: str, score: float | None) -> None:
    assert score_said(said) == score


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai.chat", b'{"response_format":{"json_schema":{"schema":{"type":"object"}}}}'),
        ("openai.responses", b'{"text":{"format":{"schema":{"type":"object"}}}}'),
        ("anthropic.messages", b'{"output_format":{"schema":{"type":"object"}}}'),
        ("anthropic.messages", b'{"output_config":{"format":{"schema":{"type":"object"}}}}'),
        ("gemini.generate", b'{"generationConfig":{"responseJsonSchema":{"type":"object"}}}'),
    ],
)
def test_every_dialects_schema_is_found(dialect: str, body: bytes) -> None:
    assert DialectAskedSchemas().schema(request(dialect, body)) == '{"type":"object"}'


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"nonsense", b'{"response_format":{"type":"json_object"}}', b'{"response_format":1}'],
)
def test_where_there_is_no_schema_none_is_found(body: bytes) -> None:
    assert DialectAskedSchemas().schema(request("openai.chat", body)) == ""


def request(dialect: str, body: bytes) -> LlmRequest:
    return LlmRequest(operation=Operation.CHAT, dialect=dialect, model="m", body=body)


# The observer


class World:
    def __init__(self) -> None:
        clock, answers = SteppingClock(), DialectCacheReader()
        self.store = InMemoryQualityStore()
        scorer = AnswerScorer(DialectReader(), answers, WireTurns(), clock)
        self.observer = AnswerObserver(
            self.store, answers, DialectAskedSchemas(), CompiledSchemas(), scorer, clock
        )
        self.inspector = QualityInspector(self.observer, random.Random(5))

    def asked(self, policy: QualityPolicy = EVERYTHING, number: int = 1, workflow_id: str = "") -> Job:
        """A request of a route with that policy, inspected and answered by somebody."""
        route = Route(name="r", targets=(), quality=policy)
        job = Job(
            request_id=f"req_{number}",
            principal=local_operator(),
            request=request("openai.chat", b"{}"),
            requirements=Requirements(),
            plan=Plan(route, (TARGET,), (), "cost", 1),
            attribution=Attribution(workflow_id=workflow_id),
            started=0.0,
            started_at_us=0,
            deadline=Deadline(0.0),
            answered_by=TARGET,
            finish_reason="stop",
        )
        self.inspector.request(job, route)
        return job

    def answer(self, job: Job, text: str) -> None:
        body = b'{"choices":[{"message":{"content":"%b"},"finish_reason":"stop"}]}' % text.encode()
        for protection in job.protections:
            protection.deliver(UpstreamAnswer(body, "application/json", None, "stop"))

    async def found(self) -> list[str]:
        await self.observer.work_off()
        await self.observer.flush()
        return [each.findings for each in self.store.observations.values()]


class Pieces:
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, *deltas: Delta) -> None:
        self._blocks = [Block(b"", (delta,)) for delta in deltas]

    async def next_block(self) -> Block | None:
        return self._blocks.pop(0) if self._blocks else None

    def close(self) -> None:
        """Nothing to end."""


async def test_what_is_found_is_kept_and_the_answer_is_not() -> None:
    world = World()
    world.answer(world.asked(), "I cannot help with that.")
    assert await world.found() == ["refusal"]
    [kept] = world.store.observations.values()
    assert (kept.provider, kept.model, kept.task, kept.route) == ("acme", "small", "chat", "r")
    assert "help" not in repr(kept)


@pytest.mark.parametrize(
    "policy", [NO_QUALITY, QualityPolicy(sample=0.0), QualityPolicy(checks=(), sample=1.0)]
)
async def test_a_route_that_asks_for_nothing_costs_nothing(policy: QualityPolicy) -> None:
    assert World().asked(policy).protections == []


async def test_a_judges_own_calls_are_not_looked_at() -> None:
    own = JUDGING.set(True)
    try:
        assert World().asked().protections == []
    finally:
        JUDGING.reset(own)


async def test_a_caller_who_names_the_workflow_of_judges_is_looked_at_all_the_same() -> None:
    assert len(World().asked(workflow_id=MARK).protections) == 1


async def test_about_the_wanted_share_is_looked_at() -> None:
    world = World()
    drawn = sum(bool(world.asked(QualityPolicy(sample=0.1)).protections) for _ in range(2000))
    assert 150 < drawn < 250


async def test_answers_of_the_cache_were_looked_at_before() -> None:
    world = World()
    job = world.asked()
    job.cache = "hit-l1"
    world.answer(job, "I cannot help with that.")
    assert await world.found() == []


async def test_a_crowd_is_left_out_and_counted() -> None:
    world = World()
    for number in range(WAITING_MAX + 3):
        world.answer(world.asked(number=number), "yes")
    assert world.observer.waiting == WAITING_MAX
    assert world.observer.counts["left out: too many wait"] == 3


async def test_a_store_that_is_away_loses_nothing_that_has_room() -> None:
    world = World()
    world.store.reachable = False
    world.answer(world.asked(), "yes")
    with pytest.raises(StoreUnavailable):
        await world.found()
    world.store.reachable = True
    assert await world.found() == [""]


async def test_what_waits_to_be_written_is_bounded() -> None:
    world = World()
    for start in range(0, UNWRITTEN_MAX + 100, 100):
        for number in range(start, start + 100):
            world.answer(world.asked(number=number), "yes")
        await world.observer.work_off()
    assert world.observer.counts["left out: the store is away"] == 100


async def test_a_very_long_answer_is_not_looked_at() -> None:
    world = World()
    world.answer(world.asked(), "x" * ANSWER_BYTES_MAX)
    assert await world.found() == []


async def test_a_streams_words_are_read_as_far_as_is_looked_at() -> None:
    world = World()
    [protection] = world.asked().protections
    long = Delta(ContentKind.TEXT, "word and " * TEXT_CHARS_MAX)
    stream = protection.deliver_stream(Pieces(Delta(ContentKind.REASONING, "hidden"), long))
    while await stream.next_block() is not None:
        pass
    stream.close()
    assert await world.found() == ["repetitive"]


async def test_a_stream_that_was_left_says_nothing_about_its_model() -> None:
    world = World()
    [protection] = world.asked().protections
    stream = protection.deliver_stream(Pieces(Delta(ContentKind.TEXT, "I cannot help with that.")))
    await stream.next_block()
    stream.close()
    assert await world.found() == []


async def test_a_stream_that_calls_tools_need_not_say_anything() -> None:
    world = World()
    [protection] = world.asked().protections
    stream = protection.deliver_stream(Pieces(Delta(ContentKind.TOOL_CALL, "{}")))
    while await stream.next_block() is not None:
        pass
    assert await world.found() == [""]
