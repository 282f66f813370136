"""Where a configured provider is and how one proves oneself to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from adapters.providers.authentication import Authenticator
from adapters.providers.families import FAMILIES
from application.ports.http import HttpTransport

_PROVES: Final = re.compile("auth|key|token|secret|cookie|sig|code|password|credential")
"""Names of headers and query parameters that prove who asks."""
_PROOF_CHARS_MIN: Final = 8
"""Shorter values prove nothing, and would be found in any text."""

WIRES: Final = tuple(FAMILIES)
"""The shapes a direct provider may speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEndpoint:
    """One provider as the operator configured it.

    `base_url` is what the vendor's own SDK takes: with `/v1` for OpenAI-compatible ones
    (`https://api.openai.com/v1`), without a version for Anthropic and Gemini (one is tolerated).
    `headers` are sent with every request, after ours; names in lower case. `keys` are the provider's keys by
    their ids, for `UpstreamCall.credential`; `api_key` serves calls that name none. `options` are facts of
    one family, such as Azure's `api_version`. With an `authenticator`, keys are not sent by us. `transport`
    is its own way out, for an address that others than the operator may name; None: that of all providers.
    """

    wire: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    authenticator: Authenticator | None = field(default=None, repr=False)
    transport: HttpTransport | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.wire not in WIRES:
            raise ValueError(f"unknown wire {self.wire!r}; allowed: {', '.join(WIRES)}")

    def key(self, credential: str) -> str | None:
        """The key of that id; without one the provider's only key."""
        return self.keys.get(credential, self.api_key) if credential else self.api_key

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never stand in a message or a body that leaves; the operator's headers may prove too."""
        said = (*self.headers, *parse_qsl(urlsplit(self.base_url).query))
        proofs = (value.rpartition(" ")[2] for name, value in said if _PROVES.search(name.lower()))
        long = (proof for proof in proofs if len(proof) >= _PROOF_CHARS_MIN)
        return tuple(dict.fromkeys(filter(None, (self.api_key, *self.keys.values(), *long))))
