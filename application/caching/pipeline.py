"""What the cache needs of the way of requests, which itself needs the cache."""

from typing import Protocol

from application.answer_stream import AnswerStream
from application.copied_request import ShadowOf
from application.job import Attribution, Job
from application.ports.llm import UpstreamAnswer
from domain.llm.request import LlmRequest
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal


class Pipeline(Protocol):
    """The way of requests, as `AnswerLlmRequest` offers it."""

    async def begin(
        self,
        principal: Principal,
        request: LlmRequest,
        requirements: Requirements,
        attribution: Attribution,
        *,
        request_id: str | None = None,
        beside: str = "",
        shadow: ShadowOf | None = None,
    ) -> tuple[Job, LiveState]: ...

    async def complete(self, job: Job, live: LiveState) -> UpstreamAnswer: ...

    async def open(self, job: Job, live: LiveState) -> AnswerStream: ...

    def end(self, job: Job, *, status: int, outcome: str, error_code: str = "") -> None: ...
