"""Gemini's shape: generateContent, its streams, embeddings, token counting, models and errors."""

import base64
from typing import Any

import msgspec

from entrypoints.simulator import pictures
from entrypoints.simulator.answers import LOGPROB
from entrypoints.simulator.conversation import (
    Answer,
    Ask,
    Choice,
    Embedded,
    Frame,
    FrameKind,
    OfferedTool,
    Rejected,
    Tokens,
    input_tokens,
)

_FINISH = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "refusal": "SAFETY",
}
_ERROR_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_encode = msgspec.json.encode


def _bad(message: str) -> Rejected:
    return Rejected(400, message)


def _either(body: dict[str, Any], camel: str, snake: str) -> Any:
    """Google's JSON accepts both spellings of a name."""
    value = body.get(camel)
    return body.get(snake) if value is None else value


def parse_generate(model: str, body: dict[str, Any], *, stream: bool = False) -> Ask:
    """A generateContent request.

    Raises:
        Rejected: contents are missing or of the wrong type.
    """
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise _bad("* GenerateContentRequest.contents: contents is not specified")
    texts: list[str] = []
    images: list[str] = []
    question, prefill, tool_result, rounds = "", "", None, 0
    system = _either(body, "systemInstruction", "system_instruction")
    if isinstance(system, dict):
        texts.append(_read(system, images)[0])
    for content in contents:
        if not isinstance(content, dict):
            raise _bad("Invalid value at 'contents'")
        text, result, calls = _read(content, images)
        texts.append(text)
        if content.get("role", "user") == "model":
            prefill = "" if calls else text
        else:
            if result is None:
                question, rounds = (text or question), 0
            else:
                question, rounds = (question or text), rounds + 1
            tool_result, prefill = result, ""
            if result is not None:
                texts.append(result)
    ask = _ask(model, body, texts, images, question, prefill, tool_result, stream)
    return ask._replace(rounds=rounds)


def _read(content: dict[str, Any], images: list[str]) -> tuple[str, str | None, bool]:
    """Text, text of function responses, and whether functions are called."""
    texts, results, calls = [], [], False
    for part in content.get("parts") or ():
        if not isinstance(part, dict):
            raise _bad("Invalid value at 'contents[0].parts'")
        inline = _either(part, "inlineData", "inline_data")
        file = _either(part, "fileData", "file_data")
        response = _either(part, "functionResponse", "function_response")
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(inline, dict):
            media_type = str(_either(inline, "mimeType", "mime_type") or "")
            images.append(pictures.described_data(media_type, str(inline.get("data", ""))))
        elif isinstance(file, dict):
            images.append(pictures.described(str(_either(file, "fileUri", "file_uri") or "")))
        elif isinstance(response, dict):
            results.append(_encode(response.get("response") or {}).decode())
        elif _either(part, "functionCall", "function_call") is not None:
            calls = True
    return "\n".join(texts), "\n".join(results) if results else None, calls


def _ask(
    model: str,
    body: dict[str, Any],
    texts: list[str],
    images: list[str],
    question: str,
    prefill: str,
    tool_result: str | None,
    stream: bool,
) -> Ask:
    spoken = texts[:-1] if prefill else texts
    prompt = "\n".join(spoken)
    size = len(prompt.encode("utf-8", "surrogatepass")) + len(prefill.encode("utf-8", "surrogatepass"))
    tools = tuple(_offered(body.get("tools") or ()))
    if tools:
        size += len(_encode(body["tools"]))
    config = _either(body, "generationConfig", "generation_config") or {}
    schema = (
        _either(config, "responseSchema", "response_schema")
        or _either(config, "responseJsonSchema", "response_json_schema")
        or config.get("_responseJsonSchema")
    )
    media_type = _either(config, "responseMimeType", "response_mime_type")
    thinking = _either(config, "thinkingConfig", "thinking_config") or {}
    budget = _either(thinking, "thinkingBudget", "thinking_budget")
    logprobs = _either(config, "responseLogprobs", "response_logprobs")
    return Ask(
        model=model,
        prompt=prompt,
        question=question,
        input_tokens=input_tokens(size, len(texts)) + pictures.TOKENS_PER_IMAGE * len(images),
        stream=stream,
        include_usage=True,
        max_tokens=_either(config, "maxOutputTokens", "max_output_tokens"),
        choices=int(_either(config, "candidateCount", "candidate_count") or 1),
        stop=tuple(part for part in _either(config, "stopSequences", "stop_sequences") or () if part),
        tools=tools,
        tool_choice=_tool_choice(_either(body, "toolConfig", "tool_config") or {}),
        tool_result=tool_result,
        json_schema=schema if isinstance(schema, dict) else None,
        json_object=media_type == "application/json",
        images=tuple(images),
        prefill=prefill,
        top_logprobs=int(config.get("logprobs") or 0) if logprobs else None,
        thinking=budget != 0 and (bool(thinking) or "think" in model or "reason" in model),
    )


def _offered(tools: Any) -> list[OfferedTool]:
    offered = []
    for tool in tools:
        for function in _either(tool, "functionDeclarations", "function_declarations") or ():
            schema = function.get("parameters") or _either(
                function, "parametersJsonSchema", "parameters_json_schema"
            )
            offered.append(OfferedTool(str(function.get("name", "")), schema or {"type": "object"}))
    return offered


def _tool_choice(config: dict[str, Any]) -> str:
    calling = _either(config, "functionCallingConfig", "function_calling_config") or {}
    match calling.get("mode"):
        case "NONE":
            return "none"
        case "ANY":
            allowed = _either(calling, "allowedFunctionNames", "allowed_function_names") or ()
            return f"={allowed[0]}" if allowed else "required"
        case _:
            return "auto"


def usage_of(tokens: Tokens, *, final: bool = True) -> dict[str, Any]:
    """Usage as Gemini counts it: candidates without thoughts; before the end only the prompt."""
    counted: dict[str, Any] = {"promptTokenCount": tokens.input}
    if final:
        counted["candidatesTokenCount"] = tokens.output - tokens.reasoning
        if tokens.reasoning:
            counted["thoughtsTokenCount"] = tokens.reasoning
    if tokens.cached:
        counted["cachedContentTokenCount"] = tokens.cached
    counted["totalTokenCount"] = tokens.input + (tokens.output if final else 0)
    return counted


def _signature(answer: Answer) -> str:
    return base64.b64encode(f"simulated-{answer.id}".encode()).decode()


def _call_part(name: str, pieces: tuple[str, ...]) -> dict[str, Any]:
    try:
        arguments = msgspec.json.decode("".join(pieces))
    except msgspec.DecodeError:
        arguments = {}
    return {"functionCall": {"name": name, "args": arguments}}


def _payload(
    ask: Ask, answer: Answer, candidates: list[dict[str, Any]], usage: dict[str, Any]
) -> dict[str, Any]:
    whole: dict[str, Any] = {"candidates": candidates} if candidates else {}
    return {**whole, "usageMetadata": usage, "modelVersion": ask.model, "responseId": f"sim{answer.id}"}


def generate_body(ask: Ask, answer: Answer) -> bytes:
    """A whole answer."""
    candidates = []
    for index, choice in enumerate(answer.choices):
        parts: list[dict[str, Any]] = []
        if choice.reasoning:
            parts.append({"text": "".join(choice.reasoning), "thought": True})
        if choice.pieces:
            signed = {"thoughtSignature": _signature(answer)} if choice.reasoning else {}
            parts.append({"text": choice.text, **signed})
        parts += [_call_part(call.name, call.pieces) for call in choice.tool_calls]
        candidate: dict[str, Any] = {
            "content": {"parts": parts, "role": "model"},
            "finishReason": _FINISH[choice.finish],
            "index": index,
        }
        if ask.top_logprobs is not None:
            candidate["avgLogprobs"] = LOGPROB
            chosen = [{"token": piece, "tokenId": 0, "logProbability": LOGPROB} for piece in choice.pieces]
            candidate["logprobsResult"] = {"chosenCandidates": chosen}
        candidates.append(candidate)
    return _encode(_payload(ask, answer, candidates, usage_of(answer.tokens)))


def generate_frames(ask: Ask, answer: Answer, *, as_array: bool) -> list[Frame]:
    """An answer as stream of partial answers: server-sent events, or one JSON array without `alt=sse`."""
    parts: list[tuple[int, dict[str, Any]]] = []
    interim, final = usage_of(answer.tokens, final=False), usage_of(answer.tokens)
    for index, choice in enumerate(answer.choices):
        for kind, part in _parts(answer, choice):
            candidate = {"content": {"parts": [part], "role": "model"}, "index": index}
            parts.append((kind, _payload(ask, answer, [candidate], interim)))
        ending: dict[str, Any] = {"content": {"parts": [{"text": ""}], "role": "model"}, "index": index}
        ending["finishReason"] = _FINISH[choice.finish]
        last = index + 1 == len(answer.choices)
        parts.append((FrameKind.FINISH, _payload(ask, answer, [ending], final if last else interim)))
    if not as_array:
        return [Frame(kind, b"data: " + _encode(payload) + b"\r\n\r\n") for kind, payload in parts]
    frames = [
        Frame(kind, (b"[" if number == 0 else b",\r\n") + _encode(payload))
        for number, (kind, payload) in enumerate(parts)
    ]
    return [*frames, Frame(FrameKind.DONE, b"\n]")]


def _parts(answer: Answer, choice: Choice) -> list[tuple[int, dict[str, Any]]]:
    parts: list[tuple[int, dict[str, Any]]] = []
    parts += [(FrameKind.CONTENT, {"text": piece, "thought": True}) for piece in choice.reasoning]
    parts += [(FrameKind.CONTENT, {"text": piece}) for piece in choice.pieces]
    if choice.reasoning and choice.pieces:
        parts[len(choice.reasoning)][1]["thoughtSignature"] = _signature(answer)
    # Gemini sends a call whole, never its arguments in parts.
    parts += [(FrameKind.CONTENT, _call_part(call.name, call.pieces)) for call in choice.tool_calls]
    return parts


def parse_embed(model: str, body: dict[str, Any], *, batch: bool) -> tuple[list[str], int | None]:
    """Texts to embed and the wanted number of dimensions. Raises Rejected when there are none."""
    requests = body.get("requests") if batch else [body]
    if not isinstance(requests, list) or not requests:
        raise _bad(f"BatchEmbedContentsRequest.requests for {model}: at least one request is required")
    texts = []
    for request in requests:
        content = request.get("content") if isinstance(request, dict) else None
        if not isinstance(content, dict):
            raise _bad("EmbedContentRequest.content: content is required")
        texts.append(_read(content, [])[0])
    return texts, _either(requests[0], "outputDimensionality", "output_dimensionality")


def embed_body(embedded: Embedded, *, batch: bool) -> bytes:
    """One embedding, or several."""
    values = [{"values": vector} for vector in embedded.vectors]
    usage = {"usageMetadata": {"promptTokenCount": embedded.tokens.input}}
    return _encode({"embeddings": values, **usage} if batch else {"embedding": values[0], **usage})


def count_body(ask: Ask) -> bytes:
    """The answer of countTokens."""
    return _encode({"totalTokens": ask.input_tokens})


def models_body(models: tuple[str, ...]) -> bytes:
    """The list of models."""
    methods = ["generateContent", "countTokens", "embedContent"]
    listed = [
        {
            "name": f"models/{name}",
            "displayName": name,
            "inputTokenLimit": 128_000,
            "outputTokenLimit": 8_192,
            "supportedGenerationMethods": methods,
        }
        for name in models
    ]
    return _encode({"models": listed})


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:  # noqa: ARG001
    """An error body; Gemini has a status text only."""
    text = _ERROR_STATUSES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    for own_word in (code, kind):
        if own_word and own_word.isupper():
            text = own_word
    if code == "context_length_exceeded":
        text, message = (
            "INVALID_ARGUMENT",
            f"The input token count exceeds the maximum number of tokens: {message}",
        )
    return _encode({"error": {"code": status, "message": message, "status": text}})


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:
    """An error inside a stream."""
    return b"data: " + error_of(status, message, kind=kind, code=code, param=None) + b"\r\n\r\n"
