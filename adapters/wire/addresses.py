"""Base URLs taken apart, and the path of each dialect below them."""

from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from adapters.wire.media_codecs import PATHS as MEDIA_PATHS
from application.ports.http import Endpoint
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)

ANTHROPIC_VERSION: Final = "2023-06-01"

_PATHS: Final[dict[str, str]] = {
    OPENAI_CHAT: "/chat/completions",
    OPENAI_COMPLETIONS: "/completions",
    OPENAI_EMBEDDINGS: "/embeddings",
    OPENAI_RESPONSES: "/responses",
    **MEDIA_PATHS,
    ANTHROPIC_MESSAGES: "/v1/messages",
    ANTHROPIC_COUNT_TOKENS: "/v1/messages/count_tokens",
    GEMINI_GENERATE: "/v1beta/models/{model}:generateContent",
    GEMINI_COUNT_TOKENS: "/v1beta/models/{model}:countTokens",
    GEMINI_EMBEDDINGS: "/v1beta/models/{model}:batchEmbedContents",
}
_GEMINI_STREAM: Final = "/v1beta/models/{model}:streamGenerateContent?alt=sse"
_VERSIONS: Final = ("/v1beta", "/v1")


class Base(NamedTuple):
    """A base URL: where to connect, and the path everything below it starts with (no trailing slash)."""

    endpoint: Endpoint
    path: str
    query: str = ""


def parse_base(url: str) -> Base:
    """Raises ValueError, without the URL in it, for anything but `http(s)://host[:port][/path][?query]`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a base URL starts with http:// or https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a base URL holds no user name or password")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Base(Endpoint(parts.scheme, parts.hostname, port), parts.path.rstrip("/"), parts.query)


def upstream_path(base: Base, dialect: str, model: str, *, stream: bool) -> str:
    """The request target of one dialect under a base, the base's own query kept.

    Anthropic's and Gemini's paths carry their version, so one at the end of the base is not doubled.
    """
    below = _GEMINI_STREAM if stream and dialect == GEMINI_GENERATE else _PATHS[dialect]
    below = below.replace("{model}", quote(model.removeprefix("models/"), safe="@:"))
    root = base.path
    if below.startswith("/v1"):
        for version in _VERSIONS:
            root = root.removesuffix(version)
    path = root + below
    if base.query:
        path += ("&" if "?" in path else "?") + base.query
    return path
