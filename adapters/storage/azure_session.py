"""The way to Azure Blob Storage: the SDK's pipeline over a session of our own.

The session asks the guard about every address, follows nothing, and knows no proxy of the environment.
What may be sent again is decided here, not by the SDK: it would also repeat what has conditions, and wait
for a quarter of a minute.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

import aiohttp
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobClient, ContainerClient

from adapters.storage.azure_words import FAILURES, again_s, told
from adapters.storage.guarded_way import GuardedResolver, Unredirected, Way
from application.ports.connector import AddressGuard
from domain.errors import IntegrationUnavailable
from domain.vault.secret import SecretText

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 60.0
"""Between two bytes; how long a call may take in all, its caller says."""
TRIES: Final = 3
SINGLE_PUT_BYTES_MAX: Final = 512 * 1024 * 1024
_ELSEWHERE: Final = "the store sends us to another host"

Answer = TypeVar("Answer")


class AzurePlace(NamedTuple):
    """Where a container is. `service_url` None: Azure itself."""

    account: str
    container: str
    service_url: str | None = None
    connections_max: int = 16

    @property
    def account_url(self) -> str:
        return self.service_url or f"https://{self.account}.blob.core.windows.net"


class AzureKeys(NamedTuple):
    """One of the two."""

    account_key: SecretText | None = None
    sas_token: SecretText | None = None


class _Transport(AioHttpTransport):  # type: ignore[misc]  # typed as Any: it is loaded lazily
    """Over a session that somebody else opens and closes."""

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None


class AzureSession:
    """Opens its client once, at its first use. Belongs to one event loop."""

    def __init__(
        self,
        place: AzurePlace,
        keys: AzureKeys,
        guard: AddressGuard,
        *,
        tries: int = TRIES,
        segment_bytes: int,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """`segment_bytes` come with one read."""
        self.place = place
        self.keys = keys
        self._tries = tries
        self._segment_bytes = segment_bytes
        self._read_timeout_s = read_timeout_s
        self._way = Way(guard, _ELSEWHERE)
        self._way.lead_to(place.account_url)
        self._session: aiohttp.ClientSession | None = None
        self._container: ContainerClient | None = None
        self._closed = False

    def container(self) -> ContainerClient:
        """Raises IntegrationUnavailable once it is closed."""
        if self._closed:
            raise IntegrationUnavailable("the connection to the store is closed")
        if self._container is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=GuardedResolver(self._way),
                    use_dns_cache=False,
                    limit=self.place.connections_max,
                ),
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            session: Any = Unredirected(self._session, self._way)
            self._container = ContainerClient(
                self.place.account_url,
                self.place.container,
                credential=self._credential(),
                transport=_Transport(
                    session=session,
                    session_owner=False,
                    connection_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=self._read_timeout_s,
                ),
                retry_total=0,
                permit_redirects=False,
                max_single_put_size=SINGLE_PUT_BYTES_MAX,
                max_single_get_size=self._segment_bytes,
                max_chunk_get_size=self._segment_bytes,
                user_agent="interchange",
            )
        return self._container

    def blob(self, key: str, version_id: str | None = None) -> BlobClient:
        return self.container().get_blob_client(key, version_id=version_id)

    def _credential(self) -> AzureNamedKeyCredential | AzureSasCredential:
        if self.keys.account_key is not None:
            return AzureNamedKeyCredential(self.place.account, self.keys.account_key.reveal())
        if self.keys.sas_token is not None:
            return AzureSasCredential(self.keys.sas_token.reveal())
        raise IntegrationUnavailable("there is no credential for the store")

    async def ask(self, what: str, call: Callable[[], Awaitable[Answer]], *, repeat: bool = True) -> Answer:
        """`repeat`: doing it twice is like doing it once; else only what certainly did nothing is sent
        again. `what` is the object, as errors may name it. Raises as the port."""
        for tried in range(1, self._tries + 1):
            try:
                return await call()
            except FAILURES as error:
                wait_s = again_s(error, tried, repeat=repeat)
                if wait_s is None or tried == self._tries:
                    raise told(error, what) from None
            await asyncio.sleep(wait_s)
        raise IntegrationUnavailable("the store was not asked")

    async def aclose(self) -> None:
        self._closed = True
        container, self._container = self._container, None
        session, self._session = self._session, None
        if container is not None:
            await container.close()
        if session is not None:
            await session.close()
