"""Feeds from files and URLs: bounded in size and time, and never half-read."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from adapters.pricing import feed_sources
from adapters.pricing.feed_sources import FORMATS, PublicFeeds
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from domain.errors import InvalidRequest, StoreUnavailable

ON = date(2026, 11, 20)
FEED = json.dumps(
    {
        "acme/small": {
            "litellm_provider": "acme",
            "input_cost_per_token": 1e-06,
            "output_cost_per_token": 2e-06,
        }
    }
).encode()


class CannedResponse(HttpResponse):
    """Chunks as given; remembers whether it was closed."""

    def __init__(self, chunks: list[bytes], status: int = 200) -> None:
        self.status = status
        self.headers = []
        self.chunks = list(chunks)
        self.closed = False

    async def read(self) -> bytes:
        return b"".join(self.chunks)

    async def next_chunk(self) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def close(self) -> None:
        self.closed = True


class ScriptedTransport(HttpTransport):
    """Answers every request the same way and remembers the last one."""

    def __init__(self, answer: Callable[[], CannedResponse]) -> None:
        self._answer = answer
        self.sent: HttpRequest | None = None
        self.response: CannedResponse | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent = request
        self.response = self._answer()
        return self.response

    async def aclose(self) -> None: ...


async def load(transport: HttpTransport, url: str = "https://feeds.example/prices.json?v=1") -> int:
    catalog = await PublicFeeds(transport).url("litellm", url, on=ON).load()
    return len(catalog.offerings)


class TestUrl:
    async def test_a_feed_is_fetched_in_chunks_and_the_response_closed(self) -> None:
        transport = ScriptedTransport(lambda: CannedResponse([FEED[:10], FEED[10:]]))

        assert await load(transport) == 1

        assert transport.sent is not None
        assert transport.sent.endpoint == Endpoint("https", "feeds.example", 443)
        assert transport.sent.path == "/prices.json?v=1"
        assert transport.sent.total_timeout_s <= 60
        assert transport.response is not None
        assert transport.response.closed

    async def test_a_feed_over_the_limit_is_dropped_while_it_is_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feed_sources, "FEED_BYTES_MAX", 20)
        transport = ScriptedTransport(lambda: CannedResponse([b"x" * 15, b"x" * 15, b"x" * 15]))

        with pytest.raises(InvalidRequest, match="over 20 bytes"):
            await load(transport)

        assert transport.response is not None
        assert transport.response.closed
        assert transport.response.chunks == [b"x" * 15]

    @pytest.mark.parametrize("status", [301, 403, 404, 500])
    async def test_any_answer_but_200_is_an_unavailable_feed(self, status: int) -> None:
        transport = ScriptedTransport(lambda: CannedResponse([FEED], status))

        with pytest.raises(StoreUnavailable, match=str(status)):
            await load(transport)

        assert transport.response is not None
        assert transport.response.closed

    async def test_a_failed_exchange_is_an_unavailable_feed(self) -> None:
        def fail() -> CannedResponse:
            raise TransportFailed(TransportStage.CONNECT, "no route")

        with pytest.raises(StoreUnavailable, match="no route"):
            await load(ScriptedTransport(fail))

    async def test_a_feed_that_never_answers_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Silent(ScriptedTransport):
            async def send(self, request: HttpRequest) -> HttpResponse:
                await asyncio.Event().wait()
                raise AssertionError("unreachable")

        monkeypatch.setattr(feed_sources, "FETCH_TIMEOUT_S", 0.01)

        with pytest.raises(StoreUnavailable, match="took over"):
            await load(Silent(lambda: CannedResponse([])))

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://feeds.example/x",
            "feeds.example/x",
            "https://",
            "https://u:p@feeds.example/",
            "http://x:99999/",
        ],
    )
    async def test_only_plain_web_addresses_are_taken(self, url: str) -> None:
        with pytest.raises(InvalidRequest):
            await load(ScriptedTransport(lambda: CannedResponse([])), url)

    async def test_without_outgoing_http_a_url_is_refused(self) -> None:
        with pytest.raises(InvalidRequest, match="give a file"):
            PublicFeeds().url("litellm", "https://feeds.example/x", on=ON)


class TestFile:
    async def test_a_feed_is_read_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "feed.json"
        path.write_bytes(FEED)

        catalog = await PublicFeeds().file("litellm", str(path), on=ON).load()

        assert list(catalog.offerings) == ["acme/small"]

    async def test_a_missing_file_is_the_callers_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequest, match="no such file"):
            await PublicFeeds().file("litellm", str(tmp_path / "none.json"), on=ON).load()
        with pytest.raises(InvalidRequest, match="no such file"):
            await PublicFeeds().file("litellm", str(tmp_path), on=ON).load()

    async def test_a_file_over_the_limit_is_refused_unread(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feed_sources, "FEED_BYTES_MAX", 20)
        path = tmp_path / "feed.json"
        path.write_bytes(b"x" * 21)

        with pytest.raises(InvalidRequest, match="over 20 bytes"):
            await PublicFeeds().file("litellm", str(path), on=ON).load()


class TestFormats:
    def test_the_known_formats_are_listed(self) -> None:
        assert PublicFeeds().formats == FORMATS
        assert set(FORMATS) == {"litellm", "openrouter", "models.dev", "genai-prices", "interchange"}

    def test_an_unknown_format_is_refused_with_the_allowed_ones(self) -> None:
        with pytest.raises(InvalidRequest, match="litellm"):
            PublicFeeds().file("excel", "prices.xls", on=ON)
        with pytest.raises(InvalidRequest, match="litellm"):
            PublicFeeds().parse("excel", b"", on=ON)
