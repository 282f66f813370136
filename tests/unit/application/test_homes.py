"""Attempts of requests that are at home somewhere: which key, which body, and what is said about the rest."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.memory.scripted_llm import Script
from application.job import Job
from application.ports.llm import UpstreamCall
from domain.llm.failures import FailureKind
from domain.llm.request import Home
from tests.unit.application.upstreams import OK, Bench, Scripts, refused, virtually

A, B = "alpha/m", "beta/m"
ELSEWHERE = b'{"model":"auto","messages":[{"role":"user","content":"spelt out"}]}'


class Recording(Bench):
    """Keeps the calls that reached anybody."""

    def __init__(self, direct: Scripts, **settings: Any) -> None:
        self.seen: list[UpstreamCall] = []
        super().__init__(direct, **settings)

    def _scripted(self, way: str, scripts: Scripts) -> Callable[[UpstreamCall], Script]:
        scripted = super()._scripted(way, scripts)

        def record(call: UpstreamCall) -> Script:
            self.seen.append(call)
            return scripted(call)

        return record


def at_home(bench: Bench, *, stream: bool) -> Job:
    job = bench.job(stream=stream)
    job.request.home = Home(
        target_id=A, provider="alpha", credential="second", elsewhere=ELSEWHERE, dropped=("input.reasoning",)
    )
    return job


async def answered(bench: Bench, job: Job) -> None:
    if job.request.stream:
        stream = await bench.loop.open(job, bench.live)
        while await stream.next_block() is not None:
            pass
        stream.close()
    else:
        await bench.loop.complete(job, bench.live)


@pytest.mark.parametrize("stream", [False, True])
def test_the_home_gets_the_request_as_it_is_with_its_own_key(stream: bool) -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: OK, B: OK})
        job = at_home(bench, stream=stream)

        await answered(bench, job)

        (call,) = bench.seen
        assert call.credential == "second"
        assert call.request is job.request
        assert (job.credential, job.attempts[0].credential, job.dropped) == ("second", "second", ())

    run()


@pytest.mark.parametrize("stream", [False, True])
def test_others_get_what_they_understand_and_it_is_said(stream: bool) -> None:
    @virtually
    async def run() -> None:
        bench = Recording({A: refused(FailureKind.OVERLOADED, status=503), B: OK}, retries=0)
        job = at_home(bench, stream=stream)

        await answered(bench, job)

        home, other = bench.seen
        assert (home.credential, other.credential) == ("second", "")
        assert other.request.body == ELSEWHERE
        assert job.dropped == ("input.reasoning",)
        assert [attempt.credential for attempt in job.attempts] == ["second", ""]

    run()
