"""Batches at providers, over the port for what providers keep."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from adapters.providers.batch_shapes import SHAPES, Asked, BatchShape
from adapters.wire.errors import bad_response
from adapters.wire.forced_limit import encoded as with_our_limit
from adapters.wire.registry import codec_for
from application.ports.http import BodySource
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.provider_batches import (
    Marker,
    ProviderBatches,
    ProviderBatchState,
    ProviderLine,
    TranslatedAnswer,
)
from application.ports.resources import ProviderResources
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.routing.target import Target
from domain.time import Timeouts

UPLOAD_TIMEOUT_S: Final = 3600.0
RESULTS_TIMEOUT_S: Final = 3600.0
RESULT_LINE_BYTES_MAX: Final = 64 * 1024 * 1024


class DirectBatches(ProviderBatches):
    """Holds nothing; every batch is known by what the caller keeps of it."""

    def __init__(self, resources: ProviderResources) -> None:
        self._resources = resources

    def offers(self, target: Target, dialect: str) -> bool:
        shape = SHAPES.get(target.batch_api)
        return shape is not None and dialect in shape.dialects and self._resources.reaches(target.provider)

    def encode(self, target: Target, request: LlmRequest, custom_id: str) -> bytes:
        shape, upstream = self._shape(target, request.dialect)
        encoded = with_our_limit(codec_for(request.dialect, upstream), _call(target, request))
        return shape.request(upstream, custom_id, encoded.body)

    def document(self, target: Target, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return SHAPES[target.batch_api].document(requests)

    async def submit(self, target: Target, dialect: str, document: BodySource, marker: Marker) -> str:
        shape, upstream = self._shape(target, dialect)
        uploaded = ""
        upload = shape.upload(document, marker)
        if upload is not None:
            uploaded = _id_in(await self._fetch(target, upload, timeout_s=UPLOAD_TIMEOUT_S))
        create = shape.create(upstream, document, uploaded, marker)
        return _id_in(await self._fetch(target, create, timeout_s=UPLOAD_TIMEOUT_S))

    async def find(self, target: Target, marker: Marker) -> str | None:
        shape = SHAPES[target.batch_api]
        found = shape.mine(await self._fetch(target, shape.listing()), marker)
        if len(found) > 1:
            message = f"several batches at {target.provider} could be this one: {', '.join(found[:5])}"
            raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message))
        return found[0] if found else None

    async def poll(self, target: Target, batch: str) -> ProviderBatchState:
        shape = SHAPES[target.batch_api]
        found = await self._fetch(target, shape.get(batch))
        try:
            return shape.state(found)
        except (AttributeError, TypeError, ValueError) as error:
            raise UpstreamFailed(bad_response(f"not the state of a batch: {error}")) from None

    async def cancel(self, target: Target, batch: str) -> None:
        try:
            await self._fetch(target, SHAPES[target.batch_api].cancel(batch))
        except UpstreamFailed as error:
            if error.failure.status not in (400, 404, 409):
                raise

    async def results(
        self, target: Target, batch: str, state: ProviderBatchState
    ) -> AsyncIterator[ProviderLine]:
        shape = SHAPES[target.batch_api]
        for asked in shape.results(batch, state):
            async for raw in self._lines(target, asked):
                try:
                    line = shape.line(raw)
                except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                    raise UpstreamFailed(bad_response(f"not a result of a batch: {error}")) from None
                yield line

    def translate(self, target: Target, request: LlmRequest, body: bytes) -> TranslatedAnswer:
        _, upstream = self._shape(target, request.dialect)
        answer = codec_for(request.dialect, upstream).response(body, _call(target, request))
        return TranslatedAnswer(answer.body, answer.usage, answer.finish_reason)

    def _shape(self, target: Target, dialect: str) -> tuple[BatchShape, str]:
        shape = SHAPES.get(target.batch_api)
        if shape is None or dialect not in shape.dialects:
            message = f"{target.provider} has no batch API for {dialect}"
            raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, sent=False))
        return shape, shape.dialects[dialect]

    async def _fetch(self, target: Target, asked: Asked, *, timeout_s: float = 60.0) -> Any:
        request = asked.of(target.provider)._replace(timeout_s=timeout_s)
        answer = await self._resources.fetch(request)
        if answer.failure is not None:
            raise UpstreamFailed(answer.failure)
        try:
            found = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamFailed(bad_response(f"not JSON: {error}")) from None
        if not isinstance(found, dict):
            raise UpstreamFailed(bad_response("not an object"))
        return found

    async def _lines(self, target: Target, asked: Asked) -> AsyncIterator[bytes]:
        request = asked.of(target.provider)._replace(timeout_s=RESULTS_TIMEOUT_S)
        stream = await self._resources.open(request)
        try:
            if stream.failure is not None:
                raise UpstreamFailed(stream.failure)
            left = b""
            while chunk := await stream.next_chunk():
                *ended, left = (left + chunk).split(b"\n")
                if len(left) > RESULT_LINE_BYTES_MAX:
                    raise UpstreamFailed(bad_response("a result is too long"))
                for line in ended:
                    if line.strip():
                        yield line
            if left.strip():
                yield left
        finally:
            stream.close()


def _id_in(found: Any) -> str:
    name = found.get("id")
    if not isinstance(name, str) or not name:
        raise UpstreamFailed(bad_response("an answer without an id"))
    return name


def _call(target: Target, request: LlmRequest) -> UpstreamCall:
    return UpstreamCall(request, target, Timeouts(), 0.0)
