"""What distinguishes the wires of direct providers: dialects, paths and where a key goes. One row each."""

from typing import Final

from adapters.providers import azure, quirks, vertex
from adapters.providers.dialects import ANTHROPIC_SHAPED, GEMINI_SHAPED, OPENAI_SHAPED
from adapters.providers.family import Family, bearer
from adapters.wire.addresses import ANTHROPIC_VERSION

FAMILIES: Final[dict[str, Family]] = {
    "openai": Family(
        vendor="openai",
        dialects=OPENAI_SHAPED,
        key_headers=bearer,
        edit=quirks.edit,
    ),
    "anthropic": Family(
        vendor="anthropic",
        dialects=ANTHROPIC_SHAPED,
        key_headers=lambda key: (("x-api-key", key),),
        headers=(("anthropic-version", ANTHROPIC_VERSION),),
    ),
    "gemini": Family(
        vendor="gemini",
        dialects=GEMINI_SHAPED,
        key_headers=lambda key: (("x-goog-api-key", key),),
    ),
    "azure": Family(
        vendor="openai",
        dialects=OPENAI_SHAPED,
        key_headers=azure.key_headers,
        path=azure.path,
        dialects_at=azure.dialects_at,
        edit=quirks.edit,
    ),
    "vertex": Family(
        vendor="gemini",
        dialects=GEMINI_SHAPED,
        key_headers=vertex.key_headers,
        path=vertex.path,
        dialects_at=vertex.dialects_at,
        edit=vertex.edit,
        base_url=vertex.base_url,
    ),
}
"""By the operator's word for the wire (`providers.*.kind`, or what the catalogue says of a kind)."""
