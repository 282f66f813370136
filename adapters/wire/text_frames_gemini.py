"""The texts of Gemini's streams. A candidate's text runs on over parts until something else comes, or its
finish reason."""

from typing import Any

from adapters.wire.text_frame import FrameRewriter, Json
from application.ports.text_fields import TextWork
from domain.llm.stream import ContentKind


class GeminiFrames(FrameRewriter):
    """`GenerateContentResponse`, one after the other."""

    def __init__(self, work: TextWork) -> None:
        super().__init__(work)
        self._head: Json = {}

    def rewrite(self, node: Json) -> list[Json]:
        self._head = {
            name: node[name] for name in ("modelVersion", "responseId", "createTime") if name in node
        }
        candidates = node.get("candidates")
        for candidate in candidates if type(candidates) is list else ():
            if type(candidate) is dict:
                self._candidate(candidate)
        self.rest(node)
        return []

    def finish(self) -> list[Json]:
        frames: list[Json] = []
        for channel in self.channels():
            assert isinstance(channel, tuple)
            if part := self._tail(*channel):
                content = {"role": "model", "parts": [part]}
                frames.append({**self._head, "candidates": [{"index": channel[0], "content": content}]})
        return frames

    def _candidate(self, candidate: Json) -> None:
        index = candidate.get("index") or 0
        content = candidate.get("content")
        parts = content.get("parts") if type(content) is dict else None
        said: list[Any] = []
        for part in parts if type(parts) is list else ():
            text = part.get("text") if type(part) is dict else None
            if type(text) is not str:
                said += self._tails(index)
                said.append(part)
                continue
            thought = bool(part.get("thought"))
            said += self._tails(index, but=thought)
            self.run((index, thought), part, "text", _kind(thought))
            said.append(part)
        if candidate.get("finishReason") or candidate.get("finish_reason"):
            said += self._tails(index)
        if len(said) == (len(parts) if type(parts) is list else 0):
            return
        self.changed = True
        if type(content) is dict:
            content["parts"] = said
        else:
            candidate["content"] = {"role": "model", "parts": said}

    def _tails(self, index: object, *, but: bool | None = None) -> list[Json]:
        tails = [self._tail(index, thought) for thought in (True, False) if thought is not but]
        said = [part for part in tails if part]
        for part in said:
            self.mask(part, "text", part["text"])
        return said

    def _tail(self, index: object, thought: bool) -> Json:
        text = self.tail((index, thought), _kind(thought))
        if not text:
            return {}
        return {"text": text, "thought": True} if thought else {"text": text}


def _kind(thought: bool) -> ContentKind:
    return ContentKind.REASONING if thought else ContentKind.TEXT
