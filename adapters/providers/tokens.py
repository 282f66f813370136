"""Bearer tokens as proof: obtained from a source, kept, renewed ahead of their end."""

from abc import abstractmethod
from datetime import timedelta
from typing import Final, Protocol

from adapters.providers.authentication import Authenticator
from adapters.providers.renewal import Renewed
from adapters.providers.token_requests import AccessToken, HeaderPairs, TokenRequests
from application.ports.http import HttpRequest, HttpTransport
from application.ports.system import Clock

RENEW_AHEAD: Final = timedelta(minutes=5)
WAIT_S_MAX: Final = 20.0
"""Some sources ask twice: an identity's own token first, then the exchange of it."""


class TokenSource(Protocol):
    """One identity. Holds no token; made without any request, so that a configuration can be checked.

    `headers` go with every request that is signed, such as the project that pays.
    """

    headers: HeaderPairs

    @abstractmethod
    async def obtain(self, requests: TokenRequests) -> AccessToken:
        """A new token. Raises UpstreamFailed as `TokenRequests` does."""
        ...


class BearerAuthenticator(Authenticator):
    """`Authorization: Bearer` with the token of one source, whatever the credential."""

    def __init__(self, source: TokenSource, transport: HttpTransport, clock: Clock) -> None:
        requests = TokenRequests(transport, clock)
        self._headers = source.headers
        self._token = Renewed(
            lambda: source.obtain(requests),
            lambda token: token.ends_at,
            clock,
            ahead=RENEW_AHEAD,
            timeout_s=WAIT_S_MAX,
        )

    async def sign(self, request: HttpRequest, credential: str) -> HttpRequest:  # noqa: ARG002 - one identity
        token = await self._token.current()
        kept = [pair for pair in request.headers if pair[0] != "authorization"]
        proof = ("authorization", f"Bearer {token.value}")
        return request._replace(headers=[*kept, proof, *self._headers])
