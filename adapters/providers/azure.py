"""Azure OpenAI and the model inference endpoint of Azure AI Foundry.

Three kinds of address, told apart by the base URL's path:

- `https://{resource}.openai.azure.com/openai/v1` (or `.services.ai.azure.com`): the version-less API; the
  deployment is the body's `model`. Also meant by a bare resource address without an `api_version`.
- `https://{resource}.openai.azure.com` with an `api_version`: a path per deployment.
- `https://{resource}.services.ai.azure.com/models`: Foundry's endpoint, which takes `api-version` too.

Sources: "Azure OpenAI in Azure AI Foundry Models REST API reference", "API version lifecycle" and "Azure AI
Model Inference REST API reference" of Microsoft's documentation.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from adapters.providers.dialects import OPENAI_SHAPED, Dialects
from adapters.providers.family import Address, HeaderPairs, Site, plain_path
from adapters.wire.addresses import upstream_path
from application.ports.wire import (
    COHERE_RERANK,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_IMAGE_EDITS,
    OPENAI_IMAGE_VARIATIONS,
    OPENAI_IMAGES,
    OPENAI_MODERATIONS,
    OPENAI_SPEECH,
    OPENAI_TRANSCRIPTIONS,
    OPENAI_TRANSLATIONS,
)

API_VERSION: Final = "2024-10-21"
"""The newest dated version of the inference API that is generally available; dated versions ended with it."""
FOUNDRY_API_VERSION: Final = "2024-05-01-preview"
ENTRA_SCOPE: Final = "https://cognitiveservices.azure.com/.default"

_V1: Final = "/openai/v1"
_FOUNDRY: Final = "/models"
_FOUNDRY_SPEAKS: Final = frozenset({OPENAI_CHAT, OPENAI_EMBEDDINGS})
_PER_DEPLOYMENT: Final = frozenset(
    {
        OPENAI_CHAT,
        OPENAI_COMPLETIONS,
        OPENAI_EMBEDDINGS,
        OPENAI_IMAGES,
        OPENAI_IMAGE_EDITS,
        OPENAI_SPEECH,
        OPENAI_TRANSCRIPTIONS,
        OPENAI_TRANSLATIONS,
    }
)
"""Dialects whose dated path names the deployment; others, such as responses, name it in the body."""


def azure_base(base_url: str, options: Mapping[str, str]) -> str:
    """The base URL with the path of its kind: what the resource's address lacks is added.

    As with the vendor's SDKs the resource may stand behind a path of a proxy. A deployment named in the
    address is left out: each model names its own.
    """
    url, mark, query = base_url.partition("?")
    url = url.rstrip("/")
    if not url.endswith((_V1, _FOUNDRY)):
        root = url.partition("/openai/deployments")[0].removesuffix("/openai")
        dated = options.get("api_version") or "api-version=" in query
        url = root + ("/openai" if dated else _V1)
    return url + mark + query


def key_headers(key: str) -> HeaderPairs:
    """The header of a resource's key."""
    return (("api-key", key),)


def dialects_at(site: Site) -> Dialects:
    """Foundry's endpoint knows chats and embeddings only."""
    return _FOUNDRY_DIALECTS if site.base_path.endswith(_FOUNDRY) else _AZURE_DIALECTS


_NOT_AT_AZURE: Final = frozenset({OPENAI_MODERATIONS, OPENAI_IMAGE_VARIATIONS, COHERE_RERANK})
"""Filtering is part of every model there, and nothing is deployed that answers the others."""
_AZURE_DIALECTS: Final[Dialects] = {
    caller: spoken for caller, spoken in OPENAI_SHAPED.items() if caller not in _NOT_AT_AZURE
}
_FOUNDRY_DIALECTS: Final[Dialects] = {
    caller: spoken
    for caller, spoken in {**OPENAI_SHAPED, OPENAI_COMPLETIONS: OPENAI_CHAT}.items()
    if spoken in _FOUNDRY_SPEAKS
}


def path(address: Address) -> str:
    """The request target of one dialect at the address's kind."""
    root = address.base.path
    if root.endswith(_V1):
        # `preview` is the one version this API still takes.
        asked = address.options.get("api_version", "")
        return _versioned(plain_path(address), asked if asked == "preview" else "")
    version = address.options.get("api_version", "")
    if root.endswith(_FOUNDRY):
        return _versioned(plain_path(address), version or FOUNDRY_API_VERSION)
    if address.dialect in _PER_DEPLOYMENT:
        deployment = f"{root}/deployments/{quote(address.model, safe='')}"
        below = upstream_path(
            address.base._replace(path=deployment), address.dialect, address.model, stream=address.stream
        )
    else:
        below = plain_path(address)
    return _versioned(below, version or API_VERSION)


def _versioned(target: str, version: str) -> str:
    """A version in the base URL's own query stays the one in force."""
    if not version or "api-version=" in target:
        return target
    return f"{target}{'&' if '?' in target else '?'}api-version={quote(version, safe='')}"
