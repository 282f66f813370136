"""What a whole answer says in plain text, and whether it waits for its caller to run a tool."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    COHERE_RERANK,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_MODERATIONS,
    OPENAI_RESPONSES,
    TOOLS,
)

Json = dict[str, Any]

_WORDLESS: Final = frozenset({OPENAI_EMBEDDINGS, OPENAI_MODERATIONS, COHERE_RERANK, GEMINI_EMBEDDINGS, TOOLS})
"""Dialects whose answers are numbers, or results of tools: they ask nobody to run anything."""
_TOOL_REASONS: Final = frozenset({"tool_calls", "function_call"})
_WAITING: Final = frozenset({"tool_use", "pause_turn"})
_REFUSED: Final = frozenset({"content_filter", "refusal"})
_DONE_BY_PROVIDER: Final = frozenset(
    {"message", "reasoning", "web_search_call", "file_search_call", "code_interpreter_call"}
    | {"image_generation_call", "mcp_call", "mcp_list_tools", "compaction"}
)
"""Items of a response that ask nothing of its caller; whatever is not known here might."""
_GEMINI_ENDS: Final = frozenset({None, "STOP", "FINISH_REASON_UNSPECIFIED", "MAX_TOKENS"})
"""With any other reason Gemini kept its answer back, or part of it."""


def answer_text(dialect: str, body: bytes) -> str:
    """The text of the first choice, without thoughts; empty for a refusal and for what cannot be read."""
    read = _TEXTS.get(dialect)
    answer = None if read is None else _decoded(body)
    if read is None or answer is None:
        return ""
    try:
        return read(answer)
    except (AttributeError, IndexError, KeyError, TypeError):
        return ""  # not in the shape of an answer


def calls_tools(dialect: str, body: bytes) -> bool:
    """Whether any choice asks its caller to run something. True for what cannot be read."""
    if dialect in _WORDLESS:
        return False
    asks = _CALLS.get(dialect)
    answer = None if asks is None else _decoded(body)
    if asks is None or answer is None:
        return True
    try:
        return asks(answer)
    except (AttributeError, IndexError, KeyError, TypeError):
        return True  # not in the shape of an answer


def _decoded(body: bytes) -> Json | None:
    try:
        answer = _DECODER.decode(body)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
    return answer if type(answer) is dict else None


def _chat_text(answer: Json) -> str:
    choice = answer["choices"][0]
    message = choice["message"]
    if message.get("refusal") or choice.get("finish_reason") in _REFUSED:
        return ""
    content = message.get("content")
    if type(content) is list:
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content if type(content) is str else ""


def _chat_calls(answer: Json) -> bool:
    for choice in answer["choices"]:
        message = choice["message"]
        if message.get("tool_calls") or message.get("function_call"):
            return True
        if choice.get("finish_reason") in _TOOL_REASONS:
            return True
    return False


def _completion_text(answer: Json) -> str:
    choice = answer["choices"][0]
    text = choice.get("text")
    return text if type(text) is str and choice.get("finish_reason") not in _REFUSED else ""


def _message_text(answer: Json) -> str:
    if answer.get("stop_reason") in _REFUSED:
        return ""
    return "".join(block["text"] for block in answer["content"] if block.get("type") == "text")


def _message_calls(answer: Json) -> bool:
    if answer.get("stop_reason") in _WAITING:
        return True
    return any(block.get("type") == "tool_use" for block in answer["content"])


def _response_text(answer: Json) -> str:
    said: list[str] = []
    for item in answer["output"]:
        if item.get("type") != "message":
            continue
        for part in item["content"]:
            if part.get("type") != "output_text":
                return ""  # a refusal, or something that is no text
            said.append(part["text"])
    return "".join(said)


def _response_calls(answer: Json) -> bool:
    return any(item.get("type") not in _DONE_BY_PROVIDER for item in answer["output"])


def _gemini_text(answer: Json) -> str:
    candidate = answer["candidates"][0]
    if candidate.get("finishReason") not in _GEMINI_ENDS:
        return ""
    parts = (candidate.get("content") or {}).get("parts") or ()
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def _gemini_calls(answer: Json) -> bool:
    return any(
        "functionCall" in part or "function_call" in part
        for candidate in answer.get("candidates") or ()
        for part in (candidate.get("content") or {}).get("parts") or ()
    )


_DECODER: Final = msgspec.json.Decoder()
_TEXTS: Final[Mapping[str, Callable[[Json], str]]] = {
    OPENAI_CHAT: _chat_text,
    OPENAI_COMPLETIONS: _completion_text,
    OPENAI_RESPONSES: _response_text,
    ANTHROPIC_MESSAGES: _message_text,
    GEMINI_GENERATE: _gemini_text,
}
_CALLS: Final[Mapping[str, Callable[[Json], bool]]] = {
    OPENAI_CHAT: _chat_calls,
    OPENAI_COMPLETIONS: lambda answer: not answer["choices"],
    OPENAI_RESPONSES: _response_calls,
    ANTHROPIC_MESSAGES: _message_calls,
    GEMINI_GENERATE: _gemini_calls,
}
