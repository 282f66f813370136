"""Bodies of every dialect with all the fields that SDKs know, for tests that put a value into each."""

from typing import Any

from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    COHERE_RERANK,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_IMAGES,
    OPENAI_MODERATIONS,
    OPENAI_RESPONSES,
    OPENAI_SPEECH,
)

Json = dict[str, Any]
_SCHEMA: Json = {
    "type": "object",
    "description": "s",
    "properties": {"to": {"type": "string", "description": "s", "enum": ["s"], "default": "s"}},
}
_ANTHROPIC: Json = {
    "model": "m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "s", "citations": [{"type": "char_location", "cited_text": "s"}]},
                {
                    "type": "document",
                    "title": "s",
                    "context": "s",
                    "source": {"type": "text", "media_type": "text/plain", "data": "s"},
                },
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", "text": "s"}]},
                },
                {"type": "document", "source": {"type": "url", "url": "s"}},
                {
                    "type": "search_result",
                    "title": "s",
                    "source": "s",
                    "content": [{"type": "text", "text": "s"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "s"},
                {
                    "type": "tool_use",
                    "id": "t1",
                    "name": "send",
                    "input": {"to": "s", "id": "s", "type": "s"},
                },
                {"type": "server_tool_use", "id": "t2", "name": "web_search", "input": {"query": "s"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "s"},
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "s"}]},
            ],
        },
    ],
    "tools": [{"name": "send", "description": "s", "input_schema": _SCHEMA}],
    "tool_choice": {"type": "tool", "name": "send"},
    "metadata": {"user_id": "s"},
    "stop_sequences": ["s"],
}
_GEMINI: Json = {
    "systemInstruction": {"parts": [{"text": "s"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "s"}, {"fileData": {"mimeType": "text/plain", "fileUri": "s"}}]},
        {
            "role": "model",
            "parts": [
                {"text": "s", "thought": True},
                {"functionCall": {"id": "c1", "name": "send", "args": {"to": "s", "deep": [{"id": "s"}]}}},
                {"executableCode": {"language": "PYTHON", "code": "s"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "s"}},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "send", "response": {"result": "s"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "send", "description": "s", "parameters": _SCHEMA}]}],
    "generationConfig": {"stopSequences": ["s"], "responseSchema": _SCHEMA},
    "labels": {"team": "s"},
}
REQUESTS: dict[str, Json] = {
    OPENAI_CHAT: {
        "model": "m",
        "user": "s",
        "safety_identifier": "s",
        "prompt_cache_key": "s",
        "metadata": {"who": "s"},
        "stop": ["s"],
        "prediction": {"type": "content", "content": [{"type": "text", "text": "s"}]},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "description": "s", "schema": _SCHEMA},
        },
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "s"}}},
        "tools": [
            {"type": "function", "function": {"name": "send", "description": "s", "parameters": _SCHEMA}},
            {"type": "custom", "custom": {"name": "note", "description": "s"}},
        ],
        "functions": [{"name": "old", "description": "s", "parameters": _SCHEMA}],
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "developer", "content": [{"type": "text", "text": "s"}]},
            {
                "role": "user",
                "name": "s",
                "content": [
                    {"type": "text", "text": "s"},
                    {"type": "image_url", "image_url": {"url": "s", "detail": "low"}},
                    {"type": "file", "file": {"filename": "s", "file_data": "s"}},
                    {"type": "not_known_yet", "words": "s", "deep": {"deeper": ["s"]}},
                ],
            },
            {
                "role": "assistant",
                "content": "s",
                "refusal": "s",
                "reasoning_content": "s",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "send", "arguments": '{"to": "s"}'},
                    },
                    {"id": "c2", "type": "custom", "custom": {"name": "note", "input": "s"}},
                ],
                "function_call": {"name": "old", "arguments": '{"a": ["s", {"b": "s"}]}'},
            },
            {"role": "tool", "tool_call_id": "c1", "content": '{"copy": "s"}'},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "s"}]},
            {"role": "function", "name": "old", "content": "s"},
        ],
        "something_new": "s",
        "something_deep": {"id": "s", "list": [{"type": "s"}]},
    },
    OPENAI_COMPLETIONS: {"model": "m", "prompt": ["s", "s"], "suffix": "s", "stop": "s", "user": "s"},
    OPENAI_EMBEDDINGS: {"model": "m", "input": ["s", "s"], "user": "s"},
    OPENAI_MODERATIONS: {"model": "m", "input": [{"type": "text", "text": "s"}]},
    OPENAI_IMAGES: {"model": "m", "prompt": "s", "user": "s"},
    OPENAI_SPEECH: {"model": "m", "input": "s", "instructions": "s", "voice": "alloy"},
    COHERE_RERANK: {"model": "m", "query": "s", "documents": ["s", {"text": "s", "title": "s"}]},
    OPENAI_RESPONSES: {
        "model": "m",
        "instructions": "s",
        "user": "s",
        "metadata": {"who": "s"},
        "prompt": {"id": "pmpt_1", "variables": {"name": "s"}},
        "text": {"format": {"type": "json_schema", "name": "n", "description": "s", "schema": _SCHEMA}},
        "tools": [
            {"type": "function", "name": "send", "description": "s", "parameters": _SCHEMA},
            {"type": "mcp", "server_label": "a", "server_url": "s", "headers": {"Authorization": "s"}},
        ],
        "input": [
            {"role": "user", "content": "s"},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "s"},
                    {"type": "input_image", "image_url": "s"},
                    {"type": "input_file", "filename": "s", "file_data": "s", "file_url": "s"},
                ],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "s",
                        "annotations": [{"type": "url_citation", "url": "s", "title": "s"}],
                    }
                ],
            },
            {"type": "function_call", "call_id": "c1", "name": "send", "arguments": '{"to": "s"}'},
            {"type": "function_call_output", "call_id": "c1", "output": '{"copy": "s"}'},
            {
                "type": "function_call_output",
                "call_id": "c1",
                "output": [{"type": "input_text", "text": "s"}],
            },
            {"type": "custom_tool_call", "call_id": "c2", "name": "note", "input": "s"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "s"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]},
            {
                "type": "local_shell_call",
                "id": "l1",
                "action": {"type": "exec", "command": ["s"], "env": {"A": "s"}},
            },
            {
                "type": "mcp_call",
                "id": "m1",
                "name": "x",
                "arguments": '{"q": "s"}',
                "output": "s",
                "error": "s",
            },
            {
                "type": "code_interpreter_call",
                "id": "i1",
                "code": "s",
                "outputs": [{"type": "logs", "logs": "s"}],
            },
            {"type": "file_search_call", "id": "f1", "queries": ["s"], "results": [{"text": "s"}]},
        ],
    },
    ANTHROPIC_MESSAGES: _ANTHROPIC,
    ANTHROPIC_COUNT_TOKENS: {name: _ANTHROPIC[name] for name in ("model", "messages", "system", "tools")},
    GEMINI_GENERATE: _GEMINI,
    GEMINI_COUNT_TOKENS: {"generateContentRequest": {"model": "models/m", **_GEMINI}},
    GEMINI_EMBEDDINGS: {
        "requests": [{"model": "models/m", "title": "s", "content": {"parts": [{"text": "s"}]}}],
        "content": {"parts": [{"text": "s"}]},
    },
}
"""Every `s` is a text; what else stands there is a name, an id or a word that both sides have to know."""

ANSWERS: dict[str, Json] = {
    OPENAI_CHAT: {
        "id": "chatcmpl-1",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "s",
                    "refusal": "s",
                    "reasoning_content": "s",
                    "annotations": [{"type": "url_citation", "url_citation": {"title": "s", "url": "s"}}],
                    "audio": {"id": "a1", "transcript": "s"},
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "send", "arguments": '{"to": "s"}'},
                        }
                    ],
                },
            }
        ],
        "usage": {"prompt_tokens": 1},
    },
    OPENAI_COMPLETIONS: {"id": "cmpl-1", "choices": [{"index": 0, "text": "s", "finish_reason": "stop"}]},
    ANTHROPIC_MESSAGES: {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "text", "text": "s", "citations": [{"type": "char_location", "cited_text": "s"}]},
            {"type": "tool_use", "id": "t1", "name": "send", "input": {"to": "s", "s": 1}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "t2",
                "content": [{"type": "web_search_result", "title": "s", "url": "s"}],
            },
        ],
        "stop_reason": "end_turn",
    },
    GEMINI_GENERATE: {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [{"text": "s"}, {"functionCall": {"name": "send", "args": {"to": "s"}}}],
                },
                "finishReason": "STOP",
                "groundingMetadata": {
                    "webSearchQueries": ["s"],
                    "groundingChunks": [{"web": {"title": "s"}}],
                },
            }
        ],
        "modelVersion": "m",
    },
    OPENAI_RESPONSES: {
        "id": "resp_1",
        "object": "response",
        "instructions": "s",
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "s", "annotations": [], "logprobs": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "send", "arguments": '{"to": "s"}'},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]},
        ],
        "status": "completed",
    },
}


def filled(value: Any, text: str) -> Any:
    """The body with `text` wherever it says `s`, inside JSON in texts too, and as a member's name."""
    if isinstance(value, dict):
        return {text if name == "s" else name: filled(inner, text) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, text) for inner in value]
    if isinstance(value, str):
        return text if value == "s" else value.replace('"s"', f'"{text}"')
    return value
