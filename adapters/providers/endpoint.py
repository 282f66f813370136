"""Where a configured provider is and how one proves oneself to it."""

from dataclasses import dataclass, field
from typing import Final

WIRES: Final = ("openai", "anthropic", "gemini")
"""The shapes a direct provider may speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEndpoint:
    """One provider as the operator configured it.

    `base_url` is what the vendor's own SDK takes: with `/v1` for OpenAI-compatible ones
    (`https://api.openai.com/v1`), without a version for Anthropic and Gemini (one is tolerated).
    `headers` are sent with every request, after ours; names in lower case.
    """

    wire: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.wire not in WIRES:
            raise ValueError(f"unknown wire {self.wire!r}; allowed: {', '.join(WIRES)}")
