"""The texts of streamed messages. A block's text ends with the block; signed thoughts are never rewritten."""

from adapters.wire.text_frame import FrameRewriter, Json
from application.ports.text_fields import RunningText, TextWork
from domain.llm.stream import ContentKind
from domain.privacy.policy import Where

_SEALED = "thinking"


class MessagesFrames(FrameRewriter):
    """Events of `anthropic.messages`."""

    def __init__(self, work: TextWork) -> None:
        super().__init__(work)
        self._seals: dict[object, RunningText | None] = {}

    def rewrite(self, node: Json) -> list[Json]:
        before: list[Json] = []
        kind, index = node.get("type"), node.get("index")
        if kind == "content_block_start":
            block = node.get("content_block")
            if type(block) is dict and block.get("type") == "text" and block.get("text"):
                self.run((index, "text"), block, "text", ContentKind.TEXT)
        elif kind == "content_block_delta":
            self._delta(node, index)
        elif kind == "content_block_stop":
            before = self._ends(index)
        self.rest(node)
        return before

    def finish(self) -> list[Json]:
        return [frame for channel in self.channels() for frame in self._ended(channel)]

    def _delta(self, node: Json, index: object) -> None:
        delta = node.get("delta")
        if type(delta) is not dict:
            return
        if type(delta.get("text")) is str:
            self.run((index, "text"), delta, "text", ContentKind.TEXT)
        elif type(delta.get("partial_json")) is str:
            self.run(
                (index, "partial_json"), delta, "partial_json", ContentKind.TOOL_CALL,
                where=Where.TOOL_ARGUMENTS, arguments=True,
            )  # fmt: skip
        elif type(delta.get(_SEALED)) is str:
            thought = delta[_SEALED]
            if index not in self._seals:
                self._seals[index] = self.work.running_seal(Where.ANSWERS, _SEALED)
            seal = self._seals[index]
            if seal is not None:
                seal.feed(thought)
            self.texts.append((ContentKind.REASONING, thought))
            self.mask(delta, _SEALED, thought)

    def _ends(self, index: object) -> list[Json]:
        seal = self._seals.pop(index, None)
        if seal is not None:
            seal.end()
        return [
            frame
            for channel in self.channels()
            if isinstance(channel, tuple) and channel[0] == index
            for frame in self._ended(channel)
        ]

    def _ended(self, channel: object) -> list[Json]:
        assert isinstance(channel, tuple)
        index, what = channel
        is_text = what == "text"
        said = self.tail(channel, ContentKind.TEXT if is_text else ContentKind.TOOL_CALL)
        if not said:
            return []
        delta = {"type": "text_delta" if is_text else "input_json_delta", what: said}
        return [{"type": "content_block_delta", "index": index, "delta": delta}]
