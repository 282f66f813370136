"""What servers of each shape are asked in, by the caller's dialect. Wires of clouds are composed of these."""

from collections.abc import Mapping
from typing import Final

from adapters.wire.media_codecs import WITHIN_FAMILY
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_IMAGES,
    OPENAI_RESPONSES,
)

Dialects = Mapping[str, str]

OPENAI_SHAPED: Final[Dialects] = {
    OPENAI_CHAT: OPENAI_CHAT,
    OPENAI_COMPLETIONS: OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS: OPENAI_EMBEDDINGS,
    # Where a server answers these itself, its targets are tagged, and the tag decides.
    OPENAI_RESPONSES: OPENAI_CHAT,
    ANTHROPIC_MESSAGES: OPENAI_CHAT,
    GEMINI_GENERATE: OPENAI_CHAT,
    GEMINI_EMBEDDINGS: OPENAI_EMBEDDINGS,
    **{dialect: dialect for dialect, _ in WITHIN_FAMILY},
}
ANTHROPIC_SHAPED: Final[Dialects] = {
    ANTHROPIC_MESSAGES: ANTHROPIC_MESSAGES,
    ANTHROPIC_COUNT_TOKENS: ANTHROPIC_COUNT_TOKENS,
    OPENAI_CHAT: ANTHROPIC_MESSAGES,
    OPENAI_RESPONSES: ANTHROPIC_MESSAGES,
    OPENAI_COMPLETIONS: ANTHROPIC_MESSAGES,
    GEMINI_GENERATE: ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS: ANTHROPIC_COUNT_TOKENS,
}
GEMINI_SHAPED: Final[Dialects] = {
    OPENAI_CHAT: GEMINI_GENERATE,
    OPENAI_RESPONSES: GEMINI_GENERATE,
    OPENAI_COMPLETIONS: GEMINI_GENERATE,
    ANTHROPIC_MESSAGES: GEMINI_GENERATE,
    ANTHROPIC_COUNT_TOKENS: GEMINI_COUNT_TOKENS,
    OPENAI_EMBEDDINGS: GEMINI_EMBEDDINGS,
    OPENAI_IMAGES: GEMINI_GENERATE,
    GEMINI_GENERATE: GEMINI_GENERATE,
    GEMINI_COUNT_TOKENS: GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS: GEMINI_EMBEDDINGS,
}


def chat_only(dialects: Dialects) -> Dialects:
    """The same for servers without text completions: those are asked as chats."""
    return {
        caller: OPENAI_CHAT if spoken == OPENAI_COMPLETIONS else spoken for caller, spoken in dialects.items()
    }
