"""OpenAI's requests, read."""

from typing import Any

import msgspec

from entrypoints.simulator import pictures
from entrypoints.simulator.conversation import Ask, OfferedTool, Rejected, input_tokens

_encode = msgspec.json.encode


def _bad(message: str, param: str | None = None) -> Rejected:
    return Rejected(400, message, kind="invalid_request_error", param=param)


def parse_chat(body: dict[str, Any]) -> Ask:
    """A chat completion request.

    Raises:
        Rejected: a required field is missing or of the wrong type.
    """
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise _bad("you must provide a model parameter", "model")
    if not isinstance(messages, list) or not messages:
        raise _bad("Missing required parameter: 'messages'.", "messages")
    texts: list[str] = []
    images: list[str] = []
    question, prefill, tool_result, rounds, before = "", "", None, 0, ""
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise _bad("Invalid type for 'messages': expected objects with a role.", "messages")
        content = message.get("content")
        text = content if isinstance(content, str) else _text_of(content, images)
        texts.append(text)
        role = message["role"]
        if role == "user":
            question, tool_result, prefill, rounds = text, None, "", 0
        elif role == "tool":
            tool_result, prefill = text, ""
            rounds += before != "tool"
        elif role == "assistant":
            texts.extend(_encode(call).decode() for call in message.get("tool_calls") or ())
            prefill = "" if message.get("tool_calls") else text
        before = role
    return _ask(body, model, texts, images, question, prefill, tool_result)._replace(rounds=rounds)


def _ask(
    body: dict[str, Any],
    model: str,
    texts: list[str],
    images: list[str],
    question: str,
    prefill: str,
    tool_result: str | None,
) -> Ask:
    tools = tuple(_offered(body.get("tools") or ()))
    schema, json_object = _wanted_format(body.get("response_format"))
    # The prefill is input, but the answer is one to the conversation before it.
    spoken = texts[:-1] if prefill else texts
    prompt = "\n".join(spoken)
    size = len(prompt.encode("utf-8", "surrogatepass")) + len(prefill.encode("utf-8", "surrogatepass"))
    if tools:
        size += len(_encode(body["tools"]))
    return Ask(
        model=model,
        prompt=prompt,
        question=question,
        input_tokens=input_tokens(size, len(texts)) + pictures.TOKENS_PER_IMAGE * len(images),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        max_tokens=_limit(body),
        choices=_choices(body),
        stop=_stops(body.get("stop")),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice")),
        parallel_tools=body.get("parallel_tool_calls") is not False,
        tool_result=tool_result,
        json_schema=schema,
        json_object=json_object,
        images=tuple(images),
        prefill=prefill,
        top_logprobs=int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None,
        thinking="think" in model or "reason" in model,
    )


def parse_completion(body: dict[str, Any]) -> Ask:
    """A legacy completion request. Raises Rejected as `parse_chat` does."""
    model, prompt = body.get("model"), body.get("prompt")
    if not isinstance(model, str) or not model:
        raise _bad("you must provide a model parameter", "model")
    if isinstance(prompt, list) and all(isinstance(part, str) for part in prompt):
        prompt = "\n".join(prompt)
    if not isinstance(prompt, str):
        raise _bad("Missing required parameter: 'prompt'.", "prompt")
    logprobs = body.get("logprobs")
    return Ask(
        model=model,
        prompt=prompt,
        question=prompt,
        input_tokens=input_tokens(len(prompt.encode("utf-8", "surrogatepass"))),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        max_tokens=_limit(body) or 16,
        choices=_choices(body),
        stop=_stops(body.get("stop")),
        top_logprobs=logprobs if isinstance(logprobs, int) and not isinstance(logprobs, bool) else None,
    )


def _text_of(content: Any, images: list[str]) -> str:
    if content is None:
        return ""
    if not isinstance(content, list):
        raise _bad("Invalid type for 'content': expected a string or an array.", "messages")
    texts = []
    for part in content:
        if not isinstance(part, dict):
            raise _bad("Invalid content part.", "messages")
        if part.get("type") == "image_url":
            image = part.get("image_url")
            images.append(pictures.described(str(image.get("url", "") if isinstance(image, dict) else image)))
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "\n".join(texts)


def _offered(tools: Any) -> list[OfferedTool]:
    offered = []
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not function.get("name"):
            raise _bad("Missing required parameter: 'tools[0].function'.", "tools")
        offered.append(OfferedTool(function["name"], function.get("parameters") or {"type": "object"}))
    return offered


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, dict):
        return "=" + str((choice.get("function") or {}).get("name", ""))
    return choice if choice in ("none", "required") else "auto"


def _wanted_format(wanted: Any) -> tuple[dict[str, Any] | None, bool]:
    if not isinstance(wanted, dict):
        return None, False
    if wanted.get("type") == "json_schema":
        return (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}, False
    return None, wanted.get("type") == "json_object"


def _limit(body: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is not None:
            if not isinstance(limit, int) or limit < 1:
                raise _bad(f"Invalid value for '{name}': expected an integer of at least 1.", name)
            return limit
    return None


def _choices(body: dict[str, Any]) -> int:
    wanted = body.get("n")
    if wanted is None:
        return 1
    if not isinstance(wanted, int) or not 1 <= wanted <= 128:
        raise _bad("Invalid value for 'n': expected an integer from 1 to 128.", "n")
    return wanted


def _stops(stop: Any) -> tuple[str, ...]:
    if isinstance(stop, str):
        return (stop,)
    return tuple(part for part in stop or () if isinstance(part, str) and part)
