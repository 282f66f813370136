"""Which shape and operation a path means, with an optional first segment that names the provider."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from entrypoints.simulator.cloud_routes import (
    AZURE,
    BEDROCK,
    VERTEX,
    bedrock_operation,
    cloud_of,
    vertex_operation,
)
from entrypoints.simulator.replicate_shape import prediction_path

_NO_PROVIDER = frozenset(
    {
        "v1",
        "v2",
        "v1beta",
        "v1beta1",
        "v1alpha",
        "_sim",
        "chat",
        "completions",
        "embeddings",
        "messages",
        "model",
        "models",
        "responses",
        "moderations",
        "rerank",
        "images",
        "audio",
        "files",
        "batches",
    }
)


STORED_RESPONSE = "stored_response"
BATCHES = "batches"


class Route(NamedTuple):
    """`operation` is one of the table below, `generate`, `embed`, `batch_embed`, `gemini_count`, `models`,
    `control`, or empty for a path that means nothing."""

    provider: str
    path: str
    shape: str
    operation: str
    method: str = "POST"
    model: str | None = None
    """From the path, where the shape has it there."""
    stream: bool = False
    as_events: bool = True
    """Gemini only: `alt=sse`."""
    key: str = ""
    """Gemini only: the key in the query."""
    cloud: str = ""
    """`azure`, `bedrock` or `vertex` for their addresses, which have rules of their own."""
    api_version: str = ""
    """Azure only."""
    caller: str = ""
    """Whom the request is for, as its header `x-sim-caller` says; only while somebody follows the bill."""


_SUFFIXES = (
    ("/chat/completions", "openai", "chat"),
    ("/completions", "openai", "completion"),
    ("/embeddings", "openai", "embeddings"),
    ("/responses", "responses", "responses"),
    ("/moderations", "openai", "moderations"),
    ("/rerank", "openai", "rerank"),
    ("/images/generations", "openai", "images"),
    ("/images/edits", "openai", "image_edits"),
    ("/images/variations", "openai", "image_variations"),
    ("/audio/speech", "openai", "speech"),
    ("/audio/transcriptions", "openai", "transcriptions"),
    ("/audio/translations", "openai", "translations"),
    ("/messages/count_tokens", "anthropic", "count_tokens"),
    ("/messages", "anthropic", "messages"),
)
_COHERE = {"chat": "cohere_chat", "embed": "cohere_embed", "rerank": "cohere_rerank"}
_GEMINI = {
    "generateContent": ("generate", False),
    "streamGenerateContent": ("generate", True),
    "embedContent": ("embed", False),
    "batchEmbedContents": ("batch_embed", False),
    "countTokens": ("gemini_count", False),
}


@lru_cache(maxsize=4096)
def route_of(target: str) -> Route:
    """The meaning of a request target."""
    parts = urlsplit(target)
    segments = [unquote(part) for part in parts.path.split("/") if part]
    provider = ""
    if segments and not _starts_api(segments):
        provider = segments.pop(0)
    path = "/" + "/".join(segments)
    query = parse_qs(parts.query)
    shape = "gemini" if path.startswith(("/v1beta/models", "/v1alpha/models")) else "openai"
    if segments[:1] == ["_sim"]:
        return Route(provider, path, shape, "control")
    cloud = cloud_of(segments)
    special = vertex_operation(segments) if cloud == VERTEX else None
    if cloud == BEDROCK:
        special = bedrock_operation(segments)
    if special is not None:
        model, stream = special.model, special.stream
        return Route(
            provider, path, special.shape, special.operation, model=model, stream=stream, cloud=cloud
        )
    if (predicted := prediction_path(segments)) is not None:
        operation, method, model = predicted
        return Route(provider, path, "replicate", operation, method, model)
    if segments[:1] == ["v2"]:
        return Route(provider, path, "cohere", _COHERE.get("/".join(segments[1:]), ""))
    named = segments[1:] if segments[:1] == ["v1"] else segments
    if named[:1] in (["files"], ["batches"]) or named[:2] == ["messages", "batches"]:
        return Route(provider, path, "anthropic" if named[0] == "messages" else "openai", BATCHES)
    for suffix, suffix_shape, operation in _SUFFIXES:
        if path.endswith(suffix):
            route = Route(provider, path, suffix_shape, operation, model=_deployment(segments), cloud=cloud)
            return _at_azure(route, query.get("api-version", [""])[0]) if cloud == AZURE else route
    if "responses" in segments[:-1]:
        wants_stream = query.get("stream", [""])[0] == "true"
        return Route(provider, path, "responses", STORED_RESPONSE, stream=wants_stream, cloud=cloud)
    if path.endswith("/models") or (
        len(segments) > 1 and segments[-2] == "models" and ":" not in segments[-1]
    ):
        one = None if path.endswith("/models") else segments[-1]
        return Route(provider, path, shape, "models", "GET", one, key=query.get("key", [""])[0])
    model, _, action = segments[-1].rpartition(":") if segments else ("", "", "")
    if action in _GEMINI and "models" in segments:
        operation, stream = _GEMINI[action]
        as_events = query.get("alt") == ["sse"]
        key = query.get("key", [""])[0]
        return Route(provider, path, "gemini", operation, "POST", model, stream, as_events, key, cloud)
    return Route(provider, path, shape, "")


def _at_azure(route: Route, api_version: str) -> Route:
    if route.shape == "openai":
        operation = "azure_chat" if route.operation == "chat" else route.operation
        route = route._replace(shape="azure", operation=operation)
    return route._replace(api_version=api_version)


def _starts_api(segments: list[str]) -> bool:
    first = segments[0]
    if first in _NO_PROVIDER:
        return True
    return first == "openai" and segments[1:2] == ["deployments"]


def _deployment(segments: list[str]) -> str | None:
    """Azure's shape has the model in the path."""
    if "deployments" in segments[:-1]:
        return segments[segments.index("deployments") + 1]
    return None
