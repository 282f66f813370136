"""Putting a limit of ours on the answer into a caller's body, in the caller's own dialect.

Translations carry it on from there under the provider's name. Everything else in the body keeps its bytes.
"""

from collections.abc import Container
from dataclasses import replace
from typing import Any, Final

import msgspec
from msgspec import Raw

from adapters.wire.codec import Codec, EncodedRequest
from application.ports.llm import UpstreamCall
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_RESPONSES,
)
from domain.catalog.tags import MAX_COMPLETION_TOKENS_TAG, MAX_TOKENS_TAG
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest
from domain.routing.target import Target, tagged

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.encode
_NAMES: Final[dict[str, str]] = {
    OPENAI_COMPLETIONS: "max_tokens",
    OPENAI_RESPONSES: "max_output_tokens",
    ANTHROPIC_MESSAGES: "max_tokens",
}
_NULL: Final = Raw(b"null")
_OLD, _NEW = "max_tokens", "max_completion_tokens"
_NEW_BYTES: Final = b'"max_completion_tokens"'


def encoded(codec: Codec, call: UpstreamCall) -> EncodedRequest:
    """The provider's body, with the limit that is forced on this call. Raises as `Codec.request`."""
    if call.request.forced_max_output_tokens is not None:
        call = call._replace(request=with_limit_in_body(call.request, call.target))
    return codec.request(call)


def with_limit_in_body(request: LlmRequest, target: Target) -> LlmRequest:
    """The request whose body carries `forced_max_output_tokens`. Others than of text are left alone."""
    limit = request.forced_max_output_tokens
    dialect = request.dialect
    fields: dict[str, Any]
    if limit is None:
        return request
    if dialect == OPENAI_CHAT:
        fields = dict(_FIELDS.decode(request.body))
        name = _chat_name(fields, target)
        fields.pop(_OLD if name == _NEW else _NEW, None)
        fields[name] = limit
    elif dialect in _NAMES:
        fields = dict(_FIELDS.decode(request.body))
        name = _NAMES[dialect]
        fields[name] = limit
    elif dialect == GEMINI_GENERATE:
        fields = dict(_FIELDS.decode(request.body))
        name = _limit_gemini(fields, limit)
    else:
        return request
    return replace(
        request, body=_encode(fields), fields=request.fields | {name}, forced_max_output_tokens=None
    )


def under_forwarded_name(body: EncodedRequest, forwarded: Container[str]) -> EncodedRequest:
    """The same with the limit of a chat under the older name, where a gateway forwards that one alone."""
    if _NEW in forwarded or _OLD not in forwarded or _NEW_BYTES not in body.body:
        return body
    fields: dict[str, Raw] = _FIELDS.decode(body.body)
    if _NEW not in fields:
        return body
    fields[_OLD] = fields.pop(_NEW)
    return body._replace(body=_encode(fields))


def _chat_name(fields: dict[str, Any], target: Target) -> str:
    """The name that the server heeds: reasoning models refuse the old one, older servers know no other."""
    if tagged(target, MAX_TOKENS_TAG):
        return _OLD
    if Capability.REASONING in target.offering.capabilities or tagged(target, MAX_COMPLETION_TOKENS_TAG):
        return _NEW
    return _NEW if _NEW in fields and _OLD not in fields else _OLD


def _limit_gemini(fields: dict[str, Any], limit: int) -> str:
    """Puts it into every spelling that is there, so that none undoes another."""
    spelt = [name for name in ("generationConfig", "generation_config") if name in fields]
    for name in spelt or ["generationConfig"]:
        given = fields.get(name, _NULL)
        config: dict[str, Any] = {} if bytes(given) == b"null" else dict(_FIELDS.decode(given))
        config.pop("max_output_tokens", None)
        config["maxOutputTokens"] = limit
        fields[name] = config
    return spelt[0] if spelt else "generationConfig"
