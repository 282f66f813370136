"""Text completions said as a chat, for models that only chat."""

from typing import Any, Final

import msgspec

from adapters.wire.openai_pivot import wall_clock
from adapters.wire.openai_usage import usage_object
from adapters.wire.pivot import Answer, ChoiceEnded, Piece, Started, StreamPiece, StreamWriter
from adapters.wire.pivot_codec import Draft, Json
from application.ports.llm import UpstreamCall
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage

CHAT_COUNTERPARTS: Final[dict[str, str]] = {
    name: name
    for name in (
        "model",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "stream",
        "stream_options",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "user",
        "logit_bias",
    )
} | {"prompt": "messages"}
"""A completion field -> the chat field that says the same."""

_DROPPED: Final = ("prompt", "best_of", "echo", "suffix", "logprobs")
_encode = msgspec.json.encode


def to_chat(body: Json, draft: Draft) -> Json:
    """One user message with the prompt. Refuses several prompts, and prompts given as tokens."""
    prompt = body["prompt"]
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise draft.refuse("prompt: this model chats; it takes one prompt, as a text")
    if (body.get("best_of") or 1) > (body.get("n") or 1):
        raise draft.refuse("best_of: this model chats; it cannot draw more answers than it gives")
    chat = {name: value for name, value in body.items() if name not in _DROPPED}
    chat["messages"] = [{"role": "user", "content": prompt}]
    return chat


def _choice(number: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": None, "finish_reason": reason}


def write_answer(answer: Answer) -> bytes:
    """A text completion."""
    body: dict[str, Any] = {
        "id": _completion_id(answer.id),
        "object": "text_completion",
        "created": answer.created or int(wall_clock()),
        "model": answer.model,
        "choices": [
            _choice(choice.number, choice.text or choice.refusal, choice.finish_reason)
            for choice in answer.choices
        ],
    }
    if answer.usage is not None:
        body["usage"] = usage_object(answer.usage)
    return _encode(body)


def _completion_id(answer_id: str) -> str:
    return f"cmpl-{answer_id.removeprefix('chatcmpl-').removeprefix('msg_')}"


class CompletionsWriter(StreamWriter):
    """Text completion chunks with one id, model and time."""

    __slots__ = ("_created", "_finished", "_id", "_include_usage", "_model")

    def __init__(self, call: UpstreamCall) -> None:
        self._id = _completion_id(call.request_id)
        self._model = call.target.model
        self._created = 0
        self._include_usage = call.request.include_usage
        self._finished = False

    def write(self, piece: StreamPiece) -> bytes:
        match piece:
            case Piece(choice, ContentKind.TEXT | ContentKind.REFUSAL, text) if text:
                return self._frame([_choice(choice, text, None)])
            case ChoiceEnded(choice, reason):
                return self._frame([_choice(choice, "", reason)])
            case Started(answer_id, model, created):
                self._id = _completion_id(answer_id) if answer_id else self._id
                self._model = model or self._model
                self._created = created
        return b""

    def finish(self, usage: Usage | None) -> bytes:
        if self._finished or not self._include_usage or usage is None:
            return b""
        self._finished = True
        return self._frame([], usage)

    def _frame(self, choices: list[dict[str, Any]], usage: Usage | None = None) -> bytes:
        self._created = self._created or int(wall_clock())
        chunk: dict[str, Any] = {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if usage is not None:
            chunk["usage"] = usage_object(usage)
        return b"data: " + _encode(chunk) + b"\n\n"
