"""The body of any calling route, read for whoever explains what would become of it."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from starlette.requests import Request

from application.identities import speak_for
from application.job import Attribution
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
    RequestReader,
)
from application.use_cases.keep_answers import KeepAnswers
from domain.errors import IdentityNotAllowed
from domain.llm.request import LlmRequest
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from entrypoints.http.cache_wishes import read_cache_wish
from entrypoints.http.callers import read_attribution, read_headers, read_requirements
from entrypoints.http.complete import CompleteEndpoint
from entrypoints.http.guard import decode, read_bounded
from entrypoints.http.llm import LlmEndpoint

_DIALECT_BY_FIELD = {"input": OPENAI_EMBEDDINGS, "prompt": OPENAI_COMPLETIONS}
"""What a body without messages is, for explanations."""
_OF_RESPONSES = frozenset(
    {"previous_response_id", "instructions", "store", "background", "stream", "max_output_tokens", "tools",
     "tool_choice", "parallel_tool_calls", "reasoning", "text", "include", "truncation", "conversation",
     "temperature", "top_p", "metadata", "service_tier", "max_tool_calls", "top_logprobs", "prompt_cache_key",
     "safety_identifier"}
)  # fmt: skip
"""Fields of the Responses API that embeddings, which have an `input` too, do not have."""
_OBJECTS: Final = re.compile(rb"\s*\[\s*\{")
"""How an `input` of messages begins; texts to embed are no objects."""


class Asked(NamedTuple):
    """What a live request with the same body and headers would be. `params` renames fields in errors."""

    request: LlmRequest
    requirements: Requirements
    attribution: Attribution
    params: Mapping[str, str]


class AskedAbout:
    """Reads bodies of `/api/v1/llm/complete`, chats, text completions, embeddings, and responses; a chat is
    Anthropic's where the header `anthropic-version` says so. `model` alone asks about a short chat."""

    def __init__(
        self, reader: RequestReader, complete_endpoint: CompleteEndpoint, keep_answers: KeepAnswers
    ) -> None:
        self._reader = reader
        self._complete_endpoint = complete_endpoint
        self._keep_answers = keep_answers

    async def read(self, request: Request, by: Principal) -> Asked:
        """Raises InvalidRequest, InvalidRequirements, RequestTooLarge, Forbidden."""
        body = await read_bounded(request)
        call = read_headers(request.scope["headers"])
        fields = decode(body, dict[str, msgspec.Raw])
        if "model_requirements" in fields:
            read = self._complete_endpoint.read(call, body, by)
            asked = Asked(*read, params=self._complete_endpoint.params)
        else:
            wishes = read_requirements(call.headers), read_attribution(call.headers)
            asked = Asked(
                self._reader.read(*dialect_of(fields, call.headers, body)), *wishes, params=LlmEndpoint.params
            )
            asked.request.headers = call.vendor_headers
            if asked.request.dialect == OPENAI_RESPONSES:
                await self._keep_answers.resolve(by, asked.request)
        asked.request.cache_wish = read_cache_wish(call.headers)
        try:
            speak_for(by, asked.attribution)
        except IdentityNotAllowed as error:
            error.param = asked.params.get(error.param or "", error.param)
            raise
        return asked


def dialect_of(fields: dict[str, msgspec.Raw], headers: dict[bytes, bytes], body: bytes) -> tuple[str, bytes]:
    """What a body is in which dialect, with a short chat put in where it names a model only."""
    if "messages" in fields:
        return ANTHROPIC_MESSAGES if b"anthropic-version" in headers else OPENAI_CHAT, body
    dialect = next((d for name, d in _DIALECT_BY_FIELD.items() if name in fields), OPENAI_CHAT)
    if dialect is OPENAI_EMBEDDINGS and (
        not _OF_RESPONSES.isdisjoint(fields) or _OBJECTS.match(bytes(fields["input"]))
    ):
        return OPENAI_RESPONSES, body
    if dialect is OPENAI_CHAT:
        fields["messages"] = msgspec.Raw(b'[{"role":"user","content":""}]')
        return dialect, msgspec.json.encode(fields)
    return dialect, body
