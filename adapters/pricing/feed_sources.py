"""Feeds as catalogue sources: bytes from a file or a URL, through the parser of their format."""

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.pricing import genai_feed, litellm_feed, models_dev_feed, openrouter_feed, portable
from adapters.pricing.feed_reading import FEED_BYTES_MAX
from application.outside import told
from application.ports.catalog import CatalogFeeds, CatalogSource
from application.ports.http import Endpoint, HttpRequest, HttpResponse, HttpTransport, TransportFailed
from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest, StoreUnavailable

FETCH_TIMEOUT_S: Final = 60.0

_PARSERS: Final[dict[str, Callable[[bytes, date], Catalog]]] = {
    litellm_feed.FORMAT: lambda data, _on: litellm_feed.parse(data),
    openrouter_feed.FORMAT: lambda data, _on: openrouter_feed.parse(data),
    models_dev_feed.FORMAT: lambda data, _on: models_dev_feed.parse(data),
    genai_feed.FORMAT: lambda data, on: genai_feed.parse(data, on=on),
    portable.FORMAT: lambda data, _on: portable.parse(data),
}
FORMATS: Final = tuple(_PARSERS)


class FeedFile(CatalogSource):
    """A feed in a file of this machine; over 64 MiB it is refused unread."""

    def __init__(self, path: Path, *, feed_format: str, on: date) -> None:
        self.name = feed_format
        self._path = path
        self._on = on

    async def load(self) -> Catalog:
        """Raises InvalidRequest for a missing or malformed file, StoreUnavailable when it cannot be read."""
        return await asyncio.to_thread(self._load)

    def _load(self) -> Catalog:
        try:
            if self._path.stat().st_size > FEED_BYTES_MAX:
                raise InvalidRequest(f"{self._path.name}: over {FEED_BYTES_MAX} bytes", param="file")
            data = self._path.read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise InvalidRequest(f"{self._path.name}: no such file", param="file") from error
        except OSError as error:
            raise StoreUnavailable(f"{self._path.name}: {error.strerror or 'cannot be read'}") from error
        return _PARSERS[self.name](data, self._on)


class FeedUrl(CatalogSource):
    """A feed behind a URL. No redirects, no more than 64 MiB, no longer than a minute in all."""

    def __init__(self, url: str, transport: HttpTransport, *, feed_format: str, on: date) -> None:
        self.name = feed_format
        self._endpoint, self._path = _split(url)
        self._transport = transport
        self._on = on

    async def load(self) -> Catalog:
        """Raises StoreUnavailable, EgressRefused, and InvalidRequest when it cannot be read."""
        data = await self._fetch()
        return await asyncio.to_thread(_PARSERS[self.name], data, self._on)

    async def _fetch(self) -> bytes:
        request = HttpRequest(
            method="GET",
            endpoint=self._endpoint,
            path=self._path,
            headers=(("accept", "application/json"), ("accept-encoding", "identity")),
            headers_timeout_s=FETCH_TIMEOUT_S / 2,
            body_idle_timeout_s=FETCH_TIMEOUT_S / 2,
            total_timeout_s=FETCH_TIMEOUT_S,
        )
        where = self._endpoint.authority
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                response = await self._transport.send(request)
                try:
                    if response.status != 200:
                        raise StoreUnavailable(f"feed at {where} answered {response.status}")
                    return await _read_bounded(response, where)
                finally:
                    response.close()
        except TransportFailed as error:
            raise told(error, self._endpoint, f"feed at {where}") from error
        except TimeoutError as error:
            raise StoreUnavailable(f"feed at {where} took over {FETCH_TIMEOUT_S:g} s") from error


class PublicFeeds(CatalogFeeds):
    """Opens feeds of the known formats; URLs go through the given transport and its egress rules."""

    def __init__(self, transport: HttpTransport | None = None) -> None:
        self._transport = transport

    @property
    def formats(self) -> tuple[str, ...]:
        return FORMATS

    def file(self, feed_format: str, path: str, *, on: date) -> CatalogSource:
        _require_format(feed_format)
        return FeedFile(Path(path), feed_format=feed_format, on=on)

    def url(self, feed_format: str, url: str, *, on: date) -> CatalogSource:
        _require_format(feed_format)
        if self._transport is None:
            raise InvalidRequest("this process has no outgoing HTTP: give a file", param="url")
        return FeedUrl(url, self._transport, feed_format=feed_format, on=on)

    def export(self, catalog: Catalog) -> bytes:
        return portable.export_catalog(catalog)

    def parse(self, feed_format: str, data: bytes, *, on: date) -> Catalog:
        _require_format(feed_format)
        return _PARSERS[feed_format](data, on)


async def _read_bounded(response: HttpResponse, where: str) -> bytes:
    chunks, size = [], 0
    while chunk := await response.next_chunk():
        size += len(chunk)
        if size > FEED_BYTES_MAX:
            raise InvalidRequest(f"feed at {where}: over {FEED_BYTES_MAX} bytes", param="url")
        chunks.append(chunk)
    return b"".join(chunks)


def _require_format(feed_format: str) -> None:
    if feed_format not in _PARSERS:
        raise InvalidRequest(f"unknown format {feed_format!r}; allowed: {', '.join(FORMATS)}", param="format")


def _split(url: str) -> tuple[Endpoint, str]:
    """Raises InvalidRequest for anything but an http(s) URL without credentials."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequest("not a URL", param="url") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest("must be an http:// or https:// URL", param="url")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("must not hold credentials", param="url")
    endpoint = Endpoint(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))
    path = parts.path or "/"
    return endpoint, f"{path}?{parts.query}" if parts.query else path
