"""Vertex AI: one host, and a shape per publisher of models.

Google's own models speak Gemini's shape, Anthropic's speak Anthropic's with the model in the path, Mistral's
and AI21's take a chat at the model's own address, and all others stand behind one OpenAI-compatible endpoint.

Sources: the REST reference of `publishers.models` (generateContent, countTokens, predict, rawPredict,
streamRawPredict), "Request predictions with Claude models", "Mistral AI models" and "Call Vertex AI models by
using OpenAI libraries" of Google Cloud's documentation.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from msgspec import Raw

from adapters.providers.dialects import (
    ANTHROPIC_SHAPED,
    GEMINI_SHAPED,
    OPENAI_SHAPED,
    Dialects,
    chat_only,
)
from adapters.providers.family import Address, BodyEdit, HeaderPairs, Site, raw_json
from adapters.wire.vertex_embeddings import VERTEX_EMBEDDINGS
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
)

GOOGLE_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
ANTHROPIC_VERSION: Final = "vertex-2023-10-16"

_VERSION: Final = "/v1"
_VERSIONS: Final = ("/v1beta1", "/v1")
_MULTI_REGIONS: Final = frozenset({"us", "eu"})
_LOCATION: Final = re.compile(r"[a-z0-9-]{1,63}")
_PUBLISHERS: Final = (
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("text-embedding", "google"),
    ("text-multilingual", "google"),
    ("mistral", "mistralai"),
    ("ministral", "mistralai"),
    ("codestral", "mistralai"),
    ("jamba", "ai21"),
    ("llama", "meta"),
    ("deepseek", "deepseek-ai"),
    ("gpt-oss", "openai"),
    ("qwen", "qwen"),
    ("kimi", "moonshotai"),
    ("minimax", "minimaxai"),
    ("glm", "zai-org"),
)
"""By how a bare model name begins. `publisher/model` says it itself."""
_RAW_CHATS: Final = frozenset({"mistralai", "ai21"})
_UNNAMED: Final = "google"
"""The publisher of names nobody knows: Google's own are the most."""


class PublishedModel(NamedTuple):
    """A model's name taken apart."""

    publisher: str
    name: str


@lru_cache(maxsize=4096)
def published(model: str) -> PublishedModel:
    """`publishers/x/models/y`, `x/y` or a bare `y`."""
    parts = model.removeprefix("models/").split("/")
    if len(parts) >= 4 and parts[0] == "publishers" and parts[2] == "models":
        return PublishedModel(parts[1], "/".join(parts[3:]))
    if len(parts) > 1:
        return PublishedModel(parts[0], "/".join(parts[1:]))
    name = parts[0]
    publisher = next((who for start, who in _PUBLISHERS if name.startswith(start)), _UNNAMED)
    return PublishedModel(publisher, name)


_GOOGLE: Final[Dialects] = {
    **{caller: spoken for caller, spoken in GEMINI_SHAPED.items() if spoken != GEMINI_EMBEDDINGS},
    OPENAI_EMBEDDINGS: VERTEX_EMBEDDINGS,
}
_CHATS: Final[Dialects] = {
    caller: spoken for caller, spoken in chat_only(OPENAI_SHAPED).items() if spoken == OPENAI_CHAT
}


def dialects_at(site: Site) -> Dialects:
    """What the publisher of the model speaks."""
    publisher = published(site.model).publisher
    if publisher == "google":
        return _GOOGLE
    return ANTHROPIC_SHAPED if publisher == "anthropic" else _CHATS


def base_url(options: Mapping[str, str]) -> str:
    """The host of a location; `global` where none is named. Raises ValueError for one that cannot be."""
    location = options.get("location") or "global"
    if not _LOCATION.fullmatch(location):
        raise ValueError("location: lower-case letters, digits and dashes, such as europe-west4 or global")
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def key_headers(key: str) -> HeaderPairs:
    """An API key, as Vertex AI's express mode takes it."""
    return (("x-goog-api-key", key),)


def path(address: Address) -> str:
    """The request target. Without a project it is express mode's, which knows Google's models only."""
    root, version = address.base.path, _VERSION
    for named in _VERSIONS:
        if root.endswith(named):
            root, version = root.removesuffix(named), named
            break
    project = address.options.get("project", "")
    location = address.options.get("location") or "global"
    place = f"/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}" if project else ""
    target = f"{root}{version}{place}{_below(address)}"
    if address.base.query:
        target += ("&" if "?" in target else "?") + address.base.query
    return target


def _below(address: Address) -> str:
    publisher, name = published(address.model)
    dialect, stream = address.dialect, address.stream
    model = f"/publishers/{quote(publisher, safe='')}/models/{quote(name, safe='@')}"
    if dialect == GEMINI_GENERATE:
        return model + (":streamGenerateContent?alt=sse" if stream else ":generateContent")
    if dialect == GEMINI_COUNT_TOKENS:
        return model + ":countTokens"
    if dialect == VERTEX_EMBEDDINGS:
        return model + ":predict"
    if dialect == ANTHROPIC_COUNT_TOKENS:
        return f"/publishers/{publisher}/models/count-tokens:rawPredict"
    if dialect == ANTHROPIC_MESSAGES or publisher in _RAW_CHATS:
        return model + (":streamRawPredict" if stream else ":rawPredict")
    return "/endpoints/openapi/chat/completions"


def edit(address: Address) -> BodyEdit | None:
    """Anthropic's bodies carry a version and no model; chats name the publisher's model."""
    publisher, name = published(address.model)
    if address.dialect == ANTHROPIC_MESSAGES:
        return _anthropic
    if address.dialect == ANTHROPIC_COUNT_TOKENS:
        return _named(name, anthropic=True)
    if address.dialect == OPENAI_CHAT:
        return _named(name.partition("@")[0] if publisher in _RAW_CHATS else f"{publisher}/{name}")
    return None


def _anthropic(body: dict[str, Any]) -> None:
    body.pop("model", None)
    body.setdefault("anthropic_version", _VERSION_JSON)


def _named(model: str, *, anthropic: bool = False) -> BodyEdit:
    named: Raw = raw_json(model)

    def name(body: dict[str, Any]) -> None:
        body["model"] = named
        if anthropic:
            body.setdefault("anthropic_version", _VERSION_JSON)

    return name


_VERSION_JSON: Final = raw_json(ANTHROPIC_VERSION)
