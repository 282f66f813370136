"""What distinguishes the wires of direct providers: dialects, paths and where a key goes. One row each."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from adapters.wire.addresses import ANTHROPIC_VERSION, Base, upstream_path
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)

HeaderPairs = tuple[tuple[str, str], ...]


class Address(NamedTuple):
    """What a path is made of. `dialect` is the one spoken upstream."""

    base: Base
    dialect: str
    model: str
    stream: bool
    options: Mapping[str, str]


def plain_path(address: Address) -> str:
    """The path of the dialect below the base URL."""
    return upstream_path(address.base, address.dialect, address.model, stream=address.stream)


def bearer(key: str) -> HeaderPairs:
    """`Authorization: Bearer`."""
    return (("authorization", f"Bearer {key}"),)


class Family(NamedTuple):
    """One wire.

    `dialects` say what is spoken upstream for each caller's dialect. `vendor` is whose headers and error
    bodies travel unmodified (a value of `application.ports.wire.FAMILY`). `key_headers` carry a plain key.
    """

    vendor: str
    dialects: Mapping[str, str]
    key_headers: Callable[[str], HeaderPairs]
    headers: HeaderPairs = ()
    path: Callable[[Address], str] = plain_path


FAMILIES: Final[dict[str, Family]] = {
    "openai": Family(
        vendor="openai",
        dialects={
            OPENAI_CHAT: OPENAI_CHAT,
            OPENAI_COMPLETIONS: OPENAI_COMPLETIONS,
            OPENAI_EMBEDDINGS: OPENAI_EMBEDDINGS,
            ANTHROPIC_MESSAGES: OPENAI_CHAT,
        },
        key_headers=bearer,
    ),
    "anthropic": Family(
        vendor="anthropic",
        dialects={
            ANTHROPIC_MESSAGES: ANTHROPIC_MESSAGES,
            ANTHROPIC_COUNT_TOKENS: ANTHROPIC_COUNT_TOKENS,
            OPENAI_CHAT: ANTHROPIC_MESSAGES,
            OPENAI_COMPLETIONS: ANTHROPIC_MESSAGES,
        },
        key_headers=lambda key: (("x-api-key", key),),
        headers=(("anthropic-version", ANTHROPIC_VERSION),),
    ),
    "gemini": Family(
        vendor="gemini",
        dialects={
            OPENAI_CHAT: GEMINI_GENERATE,
            OPENAI_COMPLETIONS: GEMINI_GENERATE,
            ANTHROPIC_MESSAGES: GEMINI_GENERATE,
            OPENAI_EMBEDDINGS: GEMINI_EMBEDDINGS,
        },
        key_headers=lambda key: (("x-goog-api-key", key),),
    ),
}
"""By the operator's word for the wire (`providers.*.kind`, or what the catalogue says of a kind)."""
