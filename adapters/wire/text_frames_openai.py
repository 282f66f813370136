"""The texts of streamed chats and completions. A choice's texts end with its finish reason."""

from abc import abstractmethod
from typing import Any, Final

from adapters.wire.text_frame import FrameRewriter, Json
from application.ports.text_fields import TextWork
from domain.llm.stream import ContentKind
from domain.privacy.policy import Where

_TEXTS: Final = {
    "content": ContentKind.TEXT,
    "reasoning_content": ContentKind.REASONING,
    "reasoning": ContentKind.REASONING,
    "refusal": ContentKind.REFUSAL,
}
_DETAILS: Final = ("text", "summary")
Channel = tuple[int, str, int]
"""(choice, what it is, which of several)."""


class _Choices(FrameRewriter):
    def __init__(self, work: TextWork) -> None:
        super().__init__(work)
        self._head: Json = {}

    def rewrite(self, node: Json) -> list[Json]:
        self._head = {name: value for name, value in node.items() if name not in ("choices", "usage")}
        before: list[Json] = []
        choices = node.get("choices")
        for choice in choices if type(choices) is list else ():
            if type(choice) is not dict:
                continue
            index = choice.get("index")
            number = index if type(index) is int else 0
            self.pieces(choice, number)
            if choice.get("finish_reason") is not None:
                before += self._ends(number)
        self.rest(node)
        return before

    def finish(self) -> list[Json]:
        return self._ends(None)

    @abstractmethod
    def pieces(self, choice: Json, number: int) -> None:
        """Runs the pieces that a choice brings."""

    @abstractmethod
    def tail_of(self, channel: Channel, said: str) -> Json:
        """The members of a choice that say what a text still held."""

    def _ends(self, number: int | None) -> list[Json]:
        frames: list[Json] = []
        for channel in self.channels():
            assert isinstance(channel, tuple)
            if number is not None and channel[0] != number:
                continue
            said = self.tail(channel, _kind(channel))
            if said:
                choice = {"index": channel[0], **self.tail_of(channel, said), "finish_reason": None}
                frames.append({**self._head, "choices": [choice]})
        return frames


def _kind(channel: Channel) -> ContentKind | None:
    if channel[1] in ("arguments", "input", "function_call"):
        return ContentKind.TOOL_CALL
    if channel[1] == "transcript":
        return None
    return ContentKind.REASONING if channel[1] in _DETAILS else _TEXTS.get(channel[1], ContentKind.TEXT)


class ChatFrames(_Choices):
    """`chat.completion.chunk`."""

    def pieces(self, choice: Json, number: int) -> None:
        delta = choice.get("delta")
        if type(delta) is not dict:
            return
        for key, kind in _TEXTS.items():
            piece = delta.get(key)
            if type(piece) is str:
                self.run((number, key, 0), delta, key, kind)
            elif key == "content" and type(piece) is list:
                self._parts(piece, number)
        for place, call in enumerate(_objects(delta.get("tool_calls"))):
            index = call.get("index")
            self._call(call, number, index if type(index) is int else place)
        called = delta.get("function_call")
        if type(called) is dict and type(called.get("arguments")) is str:
            self.run(
                (number, "function_call", 0), called, "arguments", ContentKind.TOOL_CALL,
                where=Where.TOOL_ARGUMENTS, arguments=True,
            )  # fmt: skip
        audio = delta.get("audio")
        if type(audio) is dict and type(audio.get("transcript")) is str:
            self.run((number, "transcript", 0), audio, "transcript", None)
        for place, detail in enumerate(_objects(delta.get("reasoning_details"))):
            index = detail.get("index")
            for key in _DETAILS:
                if type(detail.get(key)) is str:
                    self.run((number, key, index if type(index) is int else place), detail, key, None)

    def _parts(self, parts: list[Any], number: int) -> None:
        for part in _objects(parts):
            if type(part.get("text")) is str:
                self.run((number, "content", 0), part, "text", ContentKind.TEXT)

    def _call(self, call: Json, number: int, index: int) -> None:
        function, custom = call.get("function"), call.get("custom")
        if type(function) is dict and type(function.get("arguments")) is str:
            self.run(
                (number, "arguments", index), function, "arguments", ContentKind.TOOL_CALL,
                where=Where.TOOL_ARGUMENTS, arguments=True,
            )  # fmt: skip
        if type(custom) is dict and type(custom.get("input")) is str:
            self.run(
                (number, "input", index), custom, "input", ContentKind.TOOL_CALL, where=Where.TOOL_ARGUMENTS
            )

    def tail_of(self, channel: Channel, said: str) -> Json:
        _, what, index = channel
        if what == "arguments":
            return {"delta": {"tool_calls": [{"index": index, "function": {"arguments": said}}]}}
        if what == "input":
            return {"delta": {"tool_calls": [{"index": index, "custom": {"input": said}}]}}
        if what == "function_call":
            return {"delta": {"function_call": {"arguments": said}}}
        if what == "transcript":
            return {"delta": {"audio": {"transcript": said}}}
        if what in _DETAILS:
            kind = "reasoning.text" if what == "text" else "reasoning.summary"
            return {"delta": {"reasoning_details": [{"type": kind, "index": index, what: said}]}}
        return {"delta": {what: said}}


class CompletionFrames(_Choices):
    """`text_completion`."""

    def pieces(self, choice: Json, number: int) -> None:
        if type(choice.get("text")) is str:
            self.run((number, "content", 0), choice, "text", ContentKind.TEXT)

    def tail_of(self, channel: Channel, said: str) -> Json:  # noqa: ARG002 - there is one text
        return {"text": said, "logprobs": None}


def _objects(value: Any) -> list[Json]:
    return [each for each in value if type(each) is dict] if type(value) is list else []
