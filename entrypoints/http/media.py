"""Moderation, reranking, pictures, speech, transcripts: JSON or forms in; JSON, text, events, sound out."""

import asyncio
from collections.abc import Mapping
from typing import Final

from application.answer_stream import AnswerStream
from application.job import Attribution, Job
from application.ports.wire import (
    COHERE_RERANK,
    OPENAI_IMAGE_EDITS,
    OPENAI_IMAGE_VARIATIONS,
    OPENAI_IMAGES,
    OPENAI_MODERATIONS,
    OPENAI_SPEECH,
    OPENAI_TRANSCRIPTIONS,
    OPENAI_TRANSLATIONS,
)
from domain.errors import InterchangeError
from domain.llm.request import LlmRequest
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import AnswerCutOff, Endpoint, RawHeaders, Send
from entrypoints.http.callers import Call, read_attribution, read_requirements
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.llm import LlmEndpoint, LlmGate

MEDIA_ROUTES: Final[Mapping[str, str]] = {
    "/v1/moderations": OPENAI_MODERATIONS,
    "/v1/rerank": COHERE_RERANK,
    "/v1/images/generations": OPENAI_IMAGES,
    "/v1/images/edits": OPENAI_IMAGE_EDITS,
    "/v1/images/variations": OPENAI_IMAGE_VARIATIONS,
    "/v1/audio/speech": OPENAI_SPEECH,
    "/v1/audio/transcriptions": OPENAI_TRANSCRIPTIONS,
    "/v1/audio/translations": OPENAI_TRANSLATIONS,
}
"""Path -> the dialect spoken there; all are POST."""
_CONTENT_TYPE: Final = "content-type"
_SOUND_HEAD: RawHeaders = [(b"cache-control", b"no-store, no-cache"), (b"x-accel-buffering", b"no")]


class MediaEndpoint(LlmEndpoint):
    """One of `MEDIA_ROUTES`. A body is read as the type it comes as."""

    def read(
        self,
        call: Call,
        body: bytes,
        principal: Principal,
    ) -> tuple[LlmRequest, Requirements, Attribution]:
        content_type = call.headers.get(b"content-type", b"application/json").decode("latin-1")
        request = self._gate.reader.read(self._dialect, body, content_type)
        request.headers = call.vendor_headers
        if not call.has_wishes:
            return request, Requirements(), Attribution()
        return request, read_requirements(call.headers), read_attribution(call.headers)

    def stream_end(self, job: Job) -> bytes:
        return b"" if job.request.wordless else super().stream_end(job)

    async def _keep_alive_until(
        self, opening: "asyncio.Task[AnswerStream]", job: Job, send: Send, watch: DisconnectWatch
    ) -> None:
        if not job.request.wordless:
            await super()._keep_alive_until(opening, job, send, watch)
            return
        # Nothing can be said before the sound; the wait is bounded by the route's first-token timeout.
        await asyncio.wait((opening,))

    def _stream_headers(self, job: Job, stream: AnswerStream) -> RawHeaders:
        sound = any(name == _CONTENT_TYPE for name, _ in stream.headers)
        # What was asked for and what came may differ: some models know no events.
        job.request.wordless = sound
        headers = super()._stream_headers(job, stream)
        return _SOUND_HEAD + headers[len(self.stream_head) :] if sound else headers

    async def _refuse_stream(self, job: Job, error: InterchangeError, send: Send, *, started: bool) -> None:
        if not (started and job.request.wordless):
            await super()._refuse_stream(job, error, send, started=started)
            return
        self._gate.pipeline.end(job, status=200, outcome="cut", error_code=error.code)
        raise AnswerCutOff(error.message)


def media_faces(gate: LlmGate) -> dict[tuple[str, str], Endpoint]:
    """The endpoints by (method, path)."""
    return {("POST", path): MediaEndpoint(gate, dialect) for path, dialect in MEDIA_ROUTES.items()}
