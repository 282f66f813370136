"""The pipeline around the attempts: who is let in, and that everybody leaves exactly one record."""

import random
from dataclasses import replace

import pytest

from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from application.job import Attribution, Job
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.analytics.event import RequestEvent
from domain.errors import Forbidden, InterchangeError, Overloaded, StoreUnavailable, UnknownModel
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from entrypoints.http.errors import status_of
from tests.unit.application.at_once import at_once
from tests.unit.application.upstreams import OK, Bench, refused, virtually

A, B = "alpha/m", "beta/m"


class Pipeline:
    """The use case over a bench, with everything it recorded."""

    def __init__(self, bench: Bench, *, slots_max: int = 2, buffer_rows_max: int = 100) -> None:
        self.bench = bench
        self.log = InMemoryUsageLog(buffer_rows_max=buffer_rows_max)
        self.events: list[RequestEvent] = []
        self.answer = AnswerLlmRequest(
            runtime=Runtime(bench._table, bench.live),
            attempts=bench.loop,
            usage_log=self.log,
            clock=bench.clock,
            ids=CountingIds(),
            chance=random.Random(1),
            slots_max=slots_max,
            observe=self.events.append,
            status_of=status_of,
        )

    def begin(self, principal: Principal | None = None, *, model: str = "auto") -> Job:
        request = self.bench.job().request
        request.model = model
        job, _ = at_once(
            self.answer.begin(principal or local_operator(), request, Requirements(), Attribution())
        )
        return job


def refusal(
    pipeline: Pipeline, principal: Principal | None = None, *, model: str = "auto"
) -> InterchangeError:
    with pytest.raises(InterchangeError) as caught:
        pipeline.begin(principal, model=model)
    last = pipeline.events[-1]
    assert (last.outcome, last.error_code, last.attempts) == ("refused", caught.value.code, ())
    assert last.status == status_of(caught.value, last.dialect) >= 400
    return caught.value


@virtually
async def test_a_role_without_the_permission_is_refused_and_recorded() -> None:
    pipeline = Pipeline(Bench({A: OK}))
    nobody = replace(local_operator(), role="viewer", permissions=frozenset({"models.read"}))
    error = refusal(pipeline, nobody)
    assert isinstance(error, Forbidden) and "llm.call" in error.message
    assert pipeline.answer.in_flight == 0


@virtually
async def test_one_request_more_than_there_are_slots_is_refused_at_once() -> None:
    pipeline = Pipeline(Bench({A: OK}), slots_max=2)
    first, _ = pipeline.begin(), pipeline.begin()
    error = refusal(pipeline)
    assert isinstance(error, Overloaded) and error.retry_after_s
    pipeline.answer.end(first, status=200, outcome="ok")
    pipeline.begin()
    assert pipeline.answer.in_flight == 2


@virtually
async def test_nothing_is_begun_that_could_not_be_recorded() -> None:
    pipeline = Pipeline(Bench({A: OK}), buffer_rows_max=1)
    pipeline.log.reachable = False
    pipeline.answer.end(pipeline.begin(), status=200, outcome="ok")
    assert isinstance(refusal(pipeline), StoreUnavailable)


@virtually
async def test_an_unknown_model_is_refused_and_recorded() -> None:
    pipeline = Pipeline(Bench({A: OK}))
    assert isinstance(refusal(pipeline, model="alpha/none"), UnknownModel)
    assert pipeline.events[-1].model_asked == "alpha/none" and pipeline.answer.in_flight == 0


@virtually
async def test_a_request_is_recorded_once_however_often_it_ends() -> None:
    pipeline = Pipeline(Bench({A: OK}))
    job = pipeline.begin()
    await pipeline.answer.complete(job, pipeline.bench.live)
    pipeline.answer.end(job, status=200, outcome="ok")
    pipeline.answer.end(job, status=499, outcome="cancelled")
    assert [event.outcome for event in pipeline.events] == ["ok"] and pipeline.answer.in_flight == 0


@virtually
async def test_the_record_sums_up_every_attempt_and_names_who_answered() -> None:
    bench = Bench(
        {A: refused(FailureKind.BAD_RESPONSE, status=200), B: replace(OK, usage=Usage(1000, 500))}, retries=0
    )
    pipeline = Pipeline(bench)
    job = pipeline.begin()
    await pipeline.answer.complete(job, bench.live)
    pipeline.answer.end(job, status=200, outcome="ok")
    event = pipeline.events[0]
    assert (event.provider, event.model, event.via, event.fallbacks) == ("beta", "m", "direct", 1)
    spoilt, good = event.attempts
    assert spoilt.estimated and event.estimated, "a spoilt answer may be billed all the same"
    assert event.cost_nano_usd == (spoilt.cost_nano_usd or 0) + (good.cost_nano_usd or 0)
    assert event.input_tokens == spoilt.input_tokens + 1000 and good.cost_nano_usd == 2_000_000
