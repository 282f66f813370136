"""What every Recordings promises."""

from datetime import UTC, datetime, timedelta

import pytest

from application.ports.recordings import ANSWER, PROMPT, Recording, Recordings
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
DAY_US = 86_400_000_000
PLENTY = 1024 * 1024


def recording(
    request_id: str = "req_1",
    part: str = PROMPT,
    *,
    tenant_id: str = "acme",
    user_id: str = "alice",
    content: bytes = b'{"said":"\xc3\xbc"}',
    days: int = 30,
) -> Recording:
    return Recording(
        tenant_id,
        request_id,
        part,
        "Key000000001",
        user_id,
        "openai.chat",
        "application/json",
        NOW_US,
        NOW_US + days * DAY_US,
        False,
        content,
    )


class RecordingsContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> Recordings:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> Recordings:
        raise NotImplementedError

    async def test_what_was_put_is_found_the_prompt_first(self, store: Recordings) -> None:
        kept = [recording(part=ANSWER, content=b"\x00\xff"), recording()]
        assert await store.put(kept, tenant_day_bytes_max=PLENTY) == 0
        assert await store.of_request("acme", "req_1", now_us=NOW_US) == [kept[1], kept[0]]

    async def test_the_last_of_one_part_counts(self, store: Recordings) -> None:
        await store.put([recording()], tenant_day_bytes_max=PLENTY)
        await store.put([recording(content=b"later")], tenant_day_bytes_max=PLENTY)
        assert await store.of_request("acme", "req_1", now_us=NOW_US) == [recording(content=b"later")]

    async def test_another_tenants_is_not_there(self, store: Recordings) -> None:
        await store.put([recording()], tenant_day_bytes_max=PLENTY)
        assert await store.of_request("other", "req_1", now_us=NOW_US) == []

    async def test_what_has_expired_is_not_there_and_goes(self, store: Recordings) -> None:
        await store.put([recording(days=1), recording("req_2", days=400)], tenant_day_bytes_max=PLENTY)
        later = NOW + timedelta(days=2)
        later_us = NOW_US + 2 * DAY_US
        assert await store.of_request("acme", "req_1", now_us=later_us) == []
        assert await store.purge(later) == 1
        assert await store.purge(later) == 0
        assert len(await store.of_request("acme", "req_2", now_us=later_us)) == 1

    async def test_a_tenants_share_of_the_day_is_its_own_and_ends(self, store: Recordings) -> None:
        some = [recording(f"req_{number}", content=bytes([number]) * 64) for number in range(100)]
        refused = await store.put(some, tenant_day_bytes_max=2_000)
        assert 0 < refused < 100
        assert await store.put([recording("more", content=b"x" * 64)], tenant_day_bytes_max=2_000) <= 1
        assert await store.put([recording(tenant_id="other")], tenant_day_bytes_max=2_000) == 0

    async def test_nothing_to_put_is_nothing(self, store: Recordings) -> None:
        assert await store.put([], tenant_day_bytes_max=PLENTY) == 0

    async def test_an_unreachable_store_says_so(self, unreachable_store: Recordings) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.put([recording()], tenant_day_bytes_max=PLENTY)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.of_request("acme", "req_1", now_us=NOW_US)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.purge(NOW)
