"""Where each dialect puts the JSON Schema that an answer shall be of."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from application.ports.asked_schemas import AskedSchemas
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from domain.llm.request import LlmRequest

SCHEMA_BYTES_MAX: Final = 64 * 1024
_DECODER: Final = msgspec.json.Decoder()
Json = dict[str, Any]


class DialectAskedSchemas(AskedSchemas):
    """Gemini's `responseSchema` is no JSON Schema and is left alone; its `responseJsonSchema` is one."""

    def schema(self, request: LlmRequest) -> str:
        find = _FINDERS.get(request.dialect)
        if find is None:
            return ""
        try:
            found = find(_DECODER.decode(request.body))
        except (ValueError, RecursionError, msgspec.MsgspecError, AttributeError, KeyError, TypeError):
            return ""
        if not isinstance(found, dict) or not found:
            return ""
        text = msgspec.json.encode(found)
        return text.decode() if len(text) <= SCHEMA_BYTES_MAX else ""


def _chat(body: Json) -> Any:
    return body["response_format"]["json_schema"]["schema"]


def _responses(body: Json) -> Any:
    return body["text"]["format"]["schema"]


def _messages(body: Json) -> Any:
    return (body.get("output_format") or body["output_config"]["format"])["schema"]


def _generate(body: Json) -> Any:
    return body["generationConfig"]["responseJsonSchema"]


_FINDERS: Final[Mapping[str, Callable[[Json], Any]]] = {
    OPENAI_CHAT: _chat,
    OPENAI_RESPONSES: _responses,
    ANTHROPIC_MESSAGES: _messages,
    GEMINI_GENERATE: _generate,
}
