"""Paths of clouds that put other shapes behind addresses of their own."""

from typing import NamedTuple

AZURE, BEDROCK, VERTEX = "azure", "bedrock", "vertex"
_OPENAPI = ["endpoints", "openapi"]
_CONVERSE = {"converse": False, "converse-stream": True}
_RAW = {"rawPredict": False, "streamRawPredict": True}


class CloudOperation(NamedTuple):
    """What a path of a cloud means: a shape, an operation of it, the model and whether it streams."""

    shape: str
    operation: str
    model: str | None = None
    stream: bool = False


def cloud_of(segments: list[str]) -> str:
    """The cloud whose address this is, after the provider's own segment; empty for none."""
    if segments[:1] == ["openai"] or segments[:2] == ["models", "chat"]:
        return AZURE
    if "projects" in segments[:2] or "publishers" in segments[:2]:
        return VERTEX
    if segments[:1] == ["model"] and segments[-1] in _CONVERSE:
        return BEDROCK
    return ""


def bedrock_operation(segments: list[str]) -> CloudOperation:
    """`/model/{modelId}/converse`; the id is one segment, or an ARN whose slash was not encoded."""
    return CloudOperation("bedrock", "converse", "/".join(segments[1:-1]), _CONVERSE[segments[-1]])


def vertex_operation(segments: list[str]) -> CloudOperation | None:
    """`:rawPredict` and `:predict`; other paths end as Gemini's and OpenAI's do."""
    if "publishers" not in segments[:-2]:
        return None
    publisher = segments[segments.index("publishers") + 1]
    model, _, action = segments[-1].rpartition(":")
    if action == "predict":
        return CloudOperation("gemini", "vertex_predict", model)
    if action not in _RAW:
        return None
    if publisher != "anthropic":
        return CloudOperation("openai", "chat", model, _RAW[action])
    if model == "count-tokens":
        return CloudOperation("anthropic", "count_tokens", model)
    return CloudOperation("anthropic", "messages", model, _RAW[action])
