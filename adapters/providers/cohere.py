"""Where Cohere's second API is: `/v2` below a base that may already name a version."""

from typing import Final

from adapters.providers.family import Address
from adapters.wire.cohere import COHERE_CHAT
from adapters.wire.cohere_vectors import COHERE_EMBED, COHERE_RERANK_V2

_PATHS: Final = {COHERE_CHAT: "/chat", COHERE_EMBED: "/embed", COHERE_RERANK_V2: "/rerank"}


def path(address: Address) -> str:
    """The request target of one dialect."""
    root = address.base.path.removesuffix("/v1").removesuffix("/v2")
    target = f"{root}/v2{_PATHS[address.dialect]}"
    return f"{target}?{address.base.query}" if address.base.query else target
