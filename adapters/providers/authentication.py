"""Proving to a provider who calls, where a fixed header with a key is not enough."""

from abc import abstractmethod
from typing import Protocol

from application.ports.http import HttpRequest


class Authenticator(Protocol):
    """Signs requests of one provider: a short-lived token, or a signature over the request itself.

    Failure policy: raises `UpstreamFailed` with an AUTH failure when no proof can be had (the identity
    provider refuses), NETWORK or TIMEOUT when it cannot be reached; `sent` is False. Tokens are kept and
    renewed ahead of their end, one renewal at a time. The message never holds a secret.
    """

    @abstractmethod
    async def sign(self, request: HttpRequest, credential: str) -> HttpRequest:
        """The request with its proof; the last thing done before it is sent."""
        ...
