"""What kind of task a request is, told from what is read of it anyway. Answers are compared within one kind.

A guess that costs nothing, not an understanding: two requests of one kind may be quite different. The list is
closed, because it is a label of metrics.
"""

from typing import Final

from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation

CHAT: Final = "chat"
CODE: Final = "code"
"""A conversation near whose end stands a block of code."""
EXTRACTION: Final = "extraction"
"""The answer has to be JSON, with a schema or without."""
TOOLS: Final = "tools"
"""The model may ask its caller to run tools."""
VISION: Final = "vision"
AUDIO: Final = "audio"
EMBEDDING: Final = "embedding"
RERANK: Final = "rerank"
MODERATION: Final = "moderation"
COUNT: Final = "count"
"""Only tokens are counted."""
MEDIA: Final = "media"
"""Pictures or speech are made, or speech is written down."""
TOOL_CALL: Final = "tool_call"
"""A tool of an integration: no model at all."""

TASKS: Final = (
    CHAT,
    CODE,
    EXTRACTION,
    TOOLS,
    VISION,
    AUDIO,
    EMBEDDING,
    RERANK,
    MODERATION,
    COUNT,
    MEDIA,
    TOOL_CALL,
)
SPOKEN: Final = frozenset({CHAT, CODE, EXTRACTION, TOOLS, VISION, AUDIO})
"""Tasks that are answered in words, so that checks of words and ratings mean something."""

CODE_LOOKED_AT_BYTES: Final = 4096
"""Of the end of a body, where the last message of the user is."""

_FENCE: Final = b"```"
_BY_OPERATION: Final = {
    Operation.EMBEDDINGS: EMBEDDING,
    Operation.COUNT_TOKENS: COUNT,
    Operation.MODERATION: MODERATION,
    Operation.RERANK: RERANK,
    Operation.IMAGE: MEDIA,
    Operation.SPEECH: MEDIA,
    Operation.TRANSCRIPTION: MEDIA,
    Operation.TOOL: TOOL_CALL,
}
_FUNCTION_CALLING: Final = int(Capability.FUNCTION_CALLING)
_VISION: Final = int(Capability.VISION)
_AUDIO: Final = int(Capability.AUDIO_IN | Capability.AUDIO_OUT)
_STRUCTURED_OUTPUT: Final = int(Capability.STRUCTURED_OUTPUT)
_SPECIAL: Final = _FUNCTION_CALLING | _VISION | _AUDIO | _STRUCTURED_OUTPUT


def task_of(request: LlmRequest) -> str:
    """The kind of task, one of TASKS; the first that applies of: the operation's own, tools, vision, audio,
    extraction, code, chat. Looks at no more than CODE_LOOKED_AT_BYTES of the body; well under a microsecond.
    """
    of_operation = _BY_OPERATION.get(request.operation)
    if of_operation is not None:
        return of_operation
    # As a plain number: an operation on enum members costs more than all the rest.
    needs: int = request.needs._value_
    if needs & _SPECIAL:
        if needs & _FUNCTION_CALLING:
            return TOOLS
        if needs & _VISION:
            return VISION
        return AUDIO if needs & _AUDIO else EXTRACTION
    body = request.body
    # Looking for one byte is fifteen times quicker than looking for three, and mostly there is none.
    tick = body.find(b"`", -CODE_LOOKED_AT_BYTES)
    return CHAT if tick < 0 or body.find(_FENCE, tick) < 0 else CODE
