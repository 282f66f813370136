"""`POST /v1/responses` for answers that are kept: ids are resolved before, and remembered after."""

from application.job import Job
from application.ports.llm import Block, UpstreamAnswer
from application.privacy.protecting import keepable
from application.use_cases.keep_answers import KeepAnswers, own_retention_s
from domain.llm.request import LlmRequest
from domain.tenancy.principal import Principal
from entrypoints.http.llm import LlmGate
from entrypoints.http.responses import ResponsesEndpoint

_HOLDS_RESPONSE = b'"response"'
_SEALED = b"encrypted_content"


class KeptResponsesEndpoint(ResponsesEndpoint):
    """What an answer says about itself is noted before its bytes leave: its id may come back at once."""

    def __init__(self, gate: LlmGate, keep: KeepAnswers) -> None:
        super().__init__(gate)
        self._keep = keep

    async def prepare(self, principal: Principal, request: LlmRequest) -> None:
        await self._keep.resolve(principal, request)

    def unary_body(self, job: Job, answer: UpstreamAnswer) -> tuple[str, bytes]:
        content_type, body = super().unary_body(job, answer)
        reading = self._keep.reading
        if own_retention_s(job) is not None:
            body = reading.as_kept(body)
        elif job.request.store is False and _SEALED not in answer.body:
            return content_type, body  # nobody can come back to anything in it
        seen = reading.seen(answer.body)
        if seen is not None:
            self._keep.remember(job, seen._replace(body=keepable(job, body)))
        return content_type, body

    def stream_bytes(self, job: Job, block: Block) -> bytes:
        raw = super().stream_bytes(job, block)
        if _HOLDS_RESPONSE not in raw:
            return raw
        reading = self._keep.reading
        # Blocks hold whole events, so nothing needs to be followed from one to the next.
        seen = reading.watch().feed(raw)
        if own_retention_s(job) is not None:
            raw = reading.as_kept(raw)
        if seen is not None:
            self._keep.remember(job, seen._replace(body=keepable(job, reading.as_kept(seen.body))))
        return raw
