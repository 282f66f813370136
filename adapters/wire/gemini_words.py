"""Gemini's vocabulary beside the pivot's: reasons, counts, efforts, and the two spellings of its names."""

import re
from typing import Any, Final

from adapters.wire.chat_parts import effort_for
from domain.llm.usage import Usage

Json = dict[str, Any]

_BLOCKED: Final = "content_filter"
FINISH_REASONS: Final[dict[str, str]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": _BLOCKED,
    "RECITATION": _BLOCKED,
    "LANGUAGE": _BLOCKED,
    "BLOCKLIST": _BLOCKED,
    "PROHIBITED_CONTENT": _BLOCKED,
    "SPII": _BLOCKED,
    "IMAGE_SAFETY": _BLOCKED,
    "IMAGE_PROHIBITED_CONTENT": _BLOCKED,
    "IMAGE_RECITATION": _BLOCKED,
    "MODEL_ARMOR": _BLOCKED,
}
"""Gemini's reasons -> the pivot's; any other is an ordinary stop."""

BROKEN_REASONS: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
"""Reasons that mean the answer came to nothing; without content they are a failure, not an answer."""

_TO_GEMINI: Final[dict[str, str]] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "function_call": "STOP",
    "content_filter": "SAFETY",
}


def finish_reason(reason: str) -> str:
    """The pivot's reason in Gemini's words; an unknown one is an ordinary stop."""
    return _TO_GEMINI.get(reason, "STOP")


def usage_metadata(usage: Usage) -> Json:
    """Counts in Gemini's shape: candidates without thoughts, the prompt with what was cached."""
    counted: Json = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(0, usage.output_tokens - usage.reasoning_tokens),
        "totalTokenCount": usage.total_tokens,
    }
    if usage.reasoning_tokens:
        counted["thoughtsTokenCount"] = usage.reasoning_tokens
    if usage.cached_read_tokens:
        counted["cachedContentTokenCount"] = usage.cached_read_tokens
    into = _modalities(usage.input_tokens, usage.input_audio_tokens, usage.input_image_tokens)
    out = _modalities(
        max(0, usage.output_tokens - usage.reasoning_tokens),
        usage.output_audio_tokens,
        usage.output_image_tokens,
    )
    if into:
        counted["promptTokensDetails"] = into
    if out:
        counted["candidatesTokensDetails"] = out
    return counted


def _modalities(total: int, audio: int, image: int) -> list[Json]:
    """Nothing where all of it is text."""
    if not audio and not image:
        return []
    counts = {"TEXT": max(0, total - audio - image), "AUDIO": audio, "IMAGE": image}
    return [{"modality": name, "tokenCount": count} for name, count in counts.items() if count]


_SNAKE: Final = re.compile(r"_([a-z0-9])")
OPAQUE: Final = frozenset(
    {
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
        "_responseJsonSchema",
        "labels",
        "partMetadata",
    }
)
"""Fields whose values are the caller's own objects: their names are data."""


def camelled(value: Any) -> Any:
    """The same body with Google's camel-case names throughout; its servers accept both spellings."""
    if isinstance(value, list):
        return [camelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: Json = {}
    for name, inner in value.items():
        known = camel(name)
        found[known] = inner if known in OPAQUE else camelled(inner)
    return found


def camel(name: str) -> str:
    """`generation_config` -> `generationConfig`; a leading underscore stays."""
    if "_" not in name[1:]:
        return name
    return name[0] + _SNAKE.sub(lambda found: found.group(1).upper(), name[1:])


def effort_of_thinking(config: Json) -> str | None:
    """A `thinkingConfig` as an effort; None where the model shall decide (nothing said, or -1)."""
    level = config.get("thinkingLevel")
    if isinstance(level, str) and level and not level.upper().endswith("UNSPECIFIED"):
        return level.lower()
    budget = config.get("thinkingBudget")
    if not isinstance(budget, int) or budget < 0:
        return None
    if budget == 0:
        return "none"
    return effort_for(budget)
