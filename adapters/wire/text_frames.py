"""Which rewriter the streams of each dialect take."""

from collections.abc import Callable
from typing import Final

from adapters.wire.text_frame import FrameRewriter, RewrittenFrames, Unchanged, WholeFrames
from adapters.wire.text_frames_anthropic import MessagesFrames
from adapters.wire.text_frames_gemini import GeminiFrames
from adapters.wire.text_frames_openai import ChatFrames, CompletionFrames
from adapters.wire.text_frames_responses import ResponsesFrames
from application.ports.text_fields import FrameTexts, TextWork
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_RESPONSES,
    OPENAI_SPEECH,
)

_REWRITERS: Final[dict[str, Callable[[TextWork], FrameRewriter]]] = {
    OPENAI_CHAT: ChatFrames,
    OPENAI_COMPLETIONS: CompletionFrames,
    OPENAI_RESPONSES: ResponsesFrames,
    ANTHROPIC_MESSAGES: MessagesFrames,
    GEMINI_GENERATE: GeminiFrames,
}


def frames_of(dialect: str, work: TextWork) -> FrameTexts:
    """What rewrites a stream of this dialect; sound has no texts."""
    if dialect == OPENAI_SPEECH:
        return Unchanged()
    return RewrittenFrames(_REWRITERS.get(dialect, WholeFrames)(work))
