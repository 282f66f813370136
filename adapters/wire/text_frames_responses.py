"""The texts of streamed responses: each runs on until the event that repeats it whole.

Events carry numbers; those behind an event of ours move on by one.
"""

from typing import Final

from adapters.wire.text_frame import FrameRewriter, Json
from application.ports.text_fields import TextWork
from domain.llm.stream import ContentKind
from domain.privacy.policy import Where

_NUMBER: Final = "sequence_number"
_PLACES: Final = ("output_index", "content_index", "summary_index", "item_id")
_WHOLES: Final = ("text", "refusal", "input", "code", "transcript")
_ITEM_ENDS: Final = frozenset({"response.content_part.done", "response.output_item.done"})
_ENDS: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"}
)
_BYTES: Final = frozenset({"response.audio", "response.output_audio"})
_ARGUMENTS: Final = ("_input", "_code", "arguments")


class ResponsesFrames(FrameRewriter):
    """Events of `openai.responses`."""

    def __init__(self, work: TextWork) -> None:
        super().__init__(work)
        self._moved = 0
        self._last: dict[object, Json] = {}

    def rewrite(self, node: Json) -> list[Json]:
        kind = str(node.get("type"))
        number = node.get(_NUMBER)
        before: list[Json] = []
        text, _, what = kind.rpartition(".")
        where = _where(text)
        if what == "delta" and type(node.get("delta")) is str:
            if text in _BYTES:
                self.mask(node, "delta", node["delta"])
            else:
                channel = (text, *(node.get(name) for name in _PLACES))
                self._last[channel] = {
                    name: value for name, value in node.items() if name not in ("delta", "obfuscation")
                }
                arguments = text.endswith("arguments")
                self.run(channel, node, "delta", _kind(text), where=where, arguments=arguments)
            if node.get("logprobs") and self.work.hides_logprobs:
                node["logprobs"], self.changed = [], True
        else:
            before = self._ends(node, kind, text, what)
            for name in _WHOLES if what == "done" else ():
                if type(node.get(name)) is str:
                    said = self.work.whole(node[name], where, name)
                    self.changed = self.changed or said is not node[name]
                    self.mask(node, name, said)
        if type(number) is int and (before or self._moved):
            for each in before:
                each[_NUMBER] = number + self._moved
                self._moved += 1
            node[_NUMBER] = number + self._moved
            self.changed = True
        self.rest(node)
        return before

    def finish(self) -> list[Json]:
        frames = [frame for channel in self.channels() for frame in self._ended(channel)]
        for frame in frames:
            if type(frame.get(_NUMBER)) is int:
                self._moved += 1
                frame[_NUMBER] += self._moved
        return frames

    def _ends(self, node: Json, kind: str, text: str, what: str) -> list[Json]:
        frames: list[Json] = []
        for channel in self.channels():
            assert isinstance(channel, tuple)
            same_item = node.get("output_index") == channel[1]
            repeats = what == "done" and text == channel[0] and same_item
            if kind in _ENDS or (kind in _ITEM_ENDS and same_item) or (repeats and _same_part(node, channel)):
                frames += self._ended(channel)
        return frames

    def _ended(self, channel: object) -> list[Json]:
        assert isinstance(channel, tuple)
        said = self.tail(channel, _kind(channel[0]))
        last = self._last.pop(channel, None)
        if not said or last is None:
            return []
        if "logprobs" in last:
            last["logprobs"] = []
        return [{**last, "delta": said}]


def _same_part(node: Json, channel: tuple[object, ...]) -> bool:
    return node.get("content_index") == channel[2] and node.get("summary_index") == channel[3]


def _where(text: str) -> Where:
    return Where.TOOL_ARGUMENTS if text.endswith(_ARGUMENTS) else Where.ANSWERS


def _kind(text: str) -> ContentKind | None:
    if text.endswith(_ARGUMENTS):
        return ContentKind.TOOL_CALL
    if "reasoning" in text:
        return ContentKind.REASONING
    if text.endswith("refusal"):
        return ContentKind.REFUSAL
    return ContentKind.TEXT if text.endswith("output_text") else None
