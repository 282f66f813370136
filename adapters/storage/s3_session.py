"""The way to S3: aiobotocore's HTTP session, kept to one host and asked about every address.

Left alone, it follows redirects wherever they lead and resolves names itself.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import HTTPClientError

from adapters.storage.guarded_way import GuardedResolver, Unredirected, Way
from application.ports.connector import AddressGuard
from domain.errors import IntegrationUnavailable, InterchangeError

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 60.0
"""Between two bytes; how long a call may take in all, its caller says."""
_TRIES: Final = 3
_ELSEWHERE: Final = "the store sends us to another host: the bucket may be in another region (aws_region)"


class S3Place(NamedTuple):
    """Where a bucket is. `service_url` None: AWS itself."""

    bucket: str
    region: str
    service_url: str | None = None
    addressing: str = "auto"
    """`path` or `virtual`; auto: the latter with AWS, unless the bucket's name has dots, which no certificate
    covers."""
    connections_max: int = 16

    @property
    def style(self) -> str:
        if self.addressing != "auto":
            return self.addressing
        return "path" if self.service_url is not None or "." in self.bucket else "virtual"


class S3Keys(NamedTuple):
    """None in their place: what the process finds around itself."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"S3Keys({self.access_key_id})"


class _GuardedSession(AIOHTTPSession):  # type: ignore[misc]  # the library has no types
    way: Way

    async def _get_session(self, proxy_url: str | None) -> Any:
        return Unredirected(await super()._get_session(proxy_url))

    async def send(self, request: Any) -> Any:
        await self.way.judge(request.url)
        try:
            return await super().send(request)
        except HTTPClientError as error:
            cause = error.kwargs.get("error")
            if isinstance(cause, InterchangeError):
                raise cause from None  # else it would be tried again
            raise


class S3Session:
    """Opens the client once, at its first use. Belongs to one event loop."""

    def __init__(self, place: S3Place, keys: S3Keys | None, guard: AddressGuard) -> None:
        self._place = place
        self._keys = keys
        self._way = Way(guard, _ELSEWHERE)
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None
        self._closed = False

    async def client(self) -> Any:
        if self._client is not None:
            return self._client
        async with self._opening:
            if self._closed:
                raise IntegrationUnavailable("the connection to the store is closed")
            if self._client is None:
                context = _session(self._keys is not None).create_client(
                    "s3",
                    region_name=self._place.region,
                    endpoint_url=self._place.service_url,
                    config=self._config(),
                    **self._credential(),
                )
                client = await self._stack.enter_async_context(context)
                client.meta.events.register("before-call.s3", _stay)
                self._way.lead_to(client.meta.endpoint_url)
                self._client = client
            return self._client

    async def aclose(self) -> None:
        async with self._opening:
            self._closed = True
            self._client = None
            await self._stack.aclose()

    def _credential(self) -> Mapping[str, str | None]:
        if self._keys is None:
            return {}
        return {
            "aws_access_key_id": self._keys.access_key_id,
            "aws_secret_access_key": self._keys.secret_access_key,
            "aws_session_token": self._keys.session_token,
        }

    def _config(self) -> AioConfig:
        place = self._place
        return AioConfig(
            signature_version="s3v4",
            s3={
                "addressing_style": place.style,
                "us_east_1_regional_endpoint": "regional",
                "use_accelerate_endpoint": False,
                "use_arn_region": False,
            },
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            max_pool_connections=place.connections_max,
            retries={"total_max_attempts": _TRIES, "mode": "standard"},
            proxies={},  # else the environment's
            ignore_configured_endpoint_urls=True,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connector_args={"use_dns_cache": False, "resolver": GuardedResolver(self._way)},
            http_session_cls=type("GuardedSession", (_GuardedSession,), {"way": self._way}),
            warm_up_loader_caches=True,
            user_agent="interchange",
        )


def _stay(context: dict[str, Any], **_: Any) -> None:
    """Every request counts as redirected already: else the library follows a bucket to the region that an
    answer names, and asks for the region over and over where an answer names none."""
    context.setdefault("s3_redirect", {})["redirected"] = True


@lru_cache(maxsize=2)
def _session(explicit: bool) -> AioSession:
    """Shared for what it has read: the description of S3 is megabytes. What is around the process is asked
    through a session of its own."""
    del explicit
    return get_session()
