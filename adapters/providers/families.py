"""What distinguishes the wires of direct providers: dialects, paths and where a key goes. One row each."""

from typing import Final

from adapters.providers import aws, azure, cohere, quirks, replicate, vertex
from adapters.providers.dialects import ANTHROPIC_SHAPED, GEMINI_SHAPED, OPENAI_SHAPED
from adapters.providers.family import Family, bearer
from adapters.wire.addresses import ANTHROPIC_VERSION
from adapters.wire.bedrock import BEDROCK_CONVERSE
from adapters.wire.cohere import COHERE_CHAT
from adapters.wire.cohere_vectors import COHERE_EMBED, COHERE_RERANK_V2
from adapters.wire.registry import pivoted
from adapters.wire.replicate import REPLICATE_PREDICTION
from application.ports.wire import COHERE_RERANK, OPENAI_EMBEDDINGS

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
        completed=azure.azure_base,
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
    "bedrock": Family(
        vendor="bedrock",
        dialects=pivoted(BEDROCK_CONVERSE),
        key_headers=bearer,
        path=aws.path,
        base_url=aws.base_url,
    ),
    "cohere": Family(
        vendor="cohere",
        dialects={
            **pivoted(COHERE_CHAT),
            OPENAI_EMBEDDINGS: COHERE_EMBED,
            COHERE_RERANK: COHERE_RERANK_V2,
        },
        key_headers=bearer,
        path=cohere.path,
    ),
    "replicate": Family(
        vendor="replicate",
        dialects=pivoted(REPLICATE_PREDICTION),
        key_headers=bearer,
        path=replicate.path,
        exchange=replicate.PredictionExchange,
    ),
}
"""By the operator's word for the wire (`providers.*.kind`, or what the catalogue says of a kind)."""
