"""Pivot bodies said as requests of the Responses API, for models that are offered there alone."""

from typing import Any, Final

from adapters.wire.chat_parts import functions_of, output_limit, parts_of, schema_of, tool_choice_of
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.thoughts import thoughts_of

CHAT_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stream",
        "stream_options",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "user",
        "metadata",
        "n",
        "service_tier",
        "prompt_cache_key",
        "safety_identifier",
        "store",
    }
)
"""Fields of a chat body that have a counterpart here."""

OUTPUT_TOKENS_MIN: Final = 16
"""The least limit OpenAI takes here."""
_SAME: Final = (
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "user",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
)


def from_chat(chat: Json, draft: Draft) -> Json:
    """The responses body; nothing is kept at the provider unless a chat asked for it.

    Raises UpstreamFailed (CALLER_FAULT) for several choices and for content without a counterpart.
    """
    if (chat.get("n") or 1) > 1:
        raise draft.refuse("n: this provider gives one choice per request")
    items: list[Json] = []
    for message in chat["messages"]:
        _add_message(items, message, draft)
    body: Json = {"model": draft.call.target.model, "input": items, "store": chat.get("store") is True}
    for name in _SAME:
        if chat.get(name) is not None:
            body[name] = chat[name]
    if chat.get("stream"):
        body["stream"] = True
    limit = output_limit(chat)
    if limit:
        body["max_output_tokens"] = max(OUTPUT_TOKENS_MIN, limit)
    text: Json = {}
    form = _format(chat)
    if form is not None:
        text["format"] = form
    if chat.get("verbosity"):
        text["verbosity"] = chat["verbosity"]
    if text:
        body["text"] = text
    effort = chat.get("reasoning_effort")
    if effort is not None:
        body["reasoning"] = {"effort": effort, "summary": "auto"}
        body["include"] = ["reasoning.encrypted_content"]
    _add_tools(body, chat, draft)
    return body


def _add_message(items: list[Json], message: Json, draft: Draft) -> None:
    role = message["role"]
    content = message.get("content")
    if role in ("tool", "function"):
        call_id = message.get("tool_call_id") or f"call_{message.get('name', '')}"
        output = content if isinstance(content, str) else _parts(content, draft)
        items.append({"type": "function_call_output", "call_id": call_id, "output": output or ""})
    elif role == "assistant":
        _add_assistant(items, message, draft)
    else:
        said = content if isinstance(content, str) else _parts(content, draft)
        if said:
            items.append({"type": "message", "role": role, "content": said})


def _add_assistant(items: list[Json], message: Json, draft: Draft) -> None:
    thoughts = thoughts_of(message)
    for thought in thoughts:
        if thought.family == "openai" and thought.sealed:
            summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
            item: Json = {"type": "reasoning", "summary": summary, "encrypted_content": thought.sealed}
            items.append(item | ({"id": thought.id} if thought.id else {}))
        else:
            draft.drop("messages.reasoning_details")
    if message.get("reasoning_content") and not thoughts:
        draft.drop("messages.reasoning_content")
    text = "".join(part.get("text") or part.get("refusal") or "" for part in parts_of(message.get("content")))
    text = text or message.get("refusal") or ""
    if text:
        content = [{"type": "output_text", "text": text}]
        items.append({"type": "message", "role": "assistant", "content": content})
    calls = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        function = message["function_call"]
        calls.append({"id": f"call_{function['name']}", "function": function})
    for call in calls:
        function = call.get("function")
        if function is None:
            draft.drop(f"messages.tool_calls.{call.get('type')}")
            continue
        items.append(
            {
                "type": "function_call",
                "call_id": call["id"],
                "name": function["name"],
                "arguments": function.get("arguments") or "{}",
            }
        )


def _parts(content: Any, draft: Draft) -> list[Json]:
    return [_part(part, draft) for part in parts_of(content)]


def _part(part: Json, draft: Draft) -> Json:
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": part["text"]}
        case "refusal":
            return {"type": "input_text", "text": part["refusal"]}
        case "image_url":
            image = part["image_url"]
            url, detail = (
                (image["url"], image.get("detail") or "auto") if isinstance(image, dict) else (image, "auto")
            )
            return {"type": "input_image", "image_url": url, "detail": detail}
        case "file":
            file = part["file"]
            named = {name: file[name] for name in ("file_id", "filename", "file_data") if file.get(name)}
            if "file_data" in named:
                named.setdefault("filename", "document.pdf")
            return {"type": "input_file", **named}
        case "input_audio":
            return {"type": "input_audio", "input_audio": part["input_audio"]}
    raise draft.refuse(f"messages: this provider takes no content of type {part.get('type')}")


def _format(chat: Json) -> Json | None:
    wanted = schema_of(chat)
    if wanted is None:
        return None
    kind, schema = wanted
    if kind == "json_object":
        return {"type": "json_object"}
    named = chat["response_format"]["json_schema"]
    form: Json = {"type": "json_schema", "name": named.get("name") or "answer", "schema": schema}
    for name in ("description", "strict"):
        if named.get(name) is not None:
            form[name] = named[name]
    return form


def _add_tools(body: Json, chat: Json, draft: Draft) -> None:
    functions, others = functions_of(chat)
    for kind in others:
        draft.drop(f"tools.{kind}")
    if not functions:
        # Without tools there is nothing to be parallel.
        body.pop("parallel_tool_calls", None)
        return
    body["tools"] = [
        {
            "type": "function",
            "name": function.name,
            "parameters": function.parameters,
            # A chat is lenient unless it says so; this shape is strict unless told otherwise.
            "strict": function.strict is True,
            **({"description": function.description} if function.description else {}),
        }
        for function in functions
    ]
    chosen = tool_choice_of(chat)
    if chosen is None:
        return
    mode, names = chosen
    if mode == "required" and len(names) == 1:
        body["tool_choice"] = {"type": "function", "name": names[0]}
    elif names:
        allowed = [{"type": "function", "name": name} for name in names]
        body["tool_choice"] = {"type": "allowed_tools", "mode": mode, "tools": allowed}
    else:
        body["tool_choice"] = mode
