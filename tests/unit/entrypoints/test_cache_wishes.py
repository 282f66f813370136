"""What callers may say to the answer cache, and what they are told when they say anything else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.caching.policy import NO_WISH, CacheWish
from domain.errors import InvalidRequest
from entrypoints.http.cache_wishes import read_cache_wish


def wish(**headers: str) -> CacheWish:
    names = {
        f"x-interchange-{name.replace('_', '-')}".encode(): value.encode() for name, value in headers.items()
    }
    return read_cache_wish(names)


def test_who_says_nothing_wishes_nothing() -> None:
    assert read_cache_wish({b"authorization": b"x"}) is NO_WISH
    assert wish(cache="", cache_ttl="", cache_namespace="", cache_tags="") == NO_WISH


def test_every_wish_is_read() -> None:
    assert wish(
        cache="No-Cache", cache_ttl="60.5", cache_namespace="v2/eu", cache_tags="a, b:1 ,a,"
    ) == CacheWish(no_cache=True, ttl_s=60.5, namespace="v2/eu", tags=("a", "b:1"))
    assert wish(cache="no-store, no-cache") == CacheWish(no_store=True, no_cache=True)
    assert wish(cache="off") == CacheWish(no_store=True)


def test_what_clients_send_to_their_own_cache_is_not_a_wish() -> None:
    """fetch and browsers send it without anybody having asked for it."""
    assert read_cache_wish({b"cache-control": b"no-cache", b"pragma": b"no-cache"}) is NO_WISH


@pytest.mark.parametrize(
    ("header", "value", "allowed"),
    [
        ("cache", "on", "no-store"),
        ("cache", "no-cache;no-store", "no-cache"),
        ("cache_ttl", "0", "above 0"),
        ("cache_ttl", "-1", "above 0"),
        ("cache_ttl", "1e3", "above 0"),
        ("cache_ttl", "nan", "above 0"),
        ("cache_ttl", "7776001", "at most 7776000"),
        ("cache_namespace", "a b", "1-128"),
        ("cache_namespace", "x" * 129, "1-128"),
        ("cache_namespace", "ü", "letters"),
        ("cache_tags", "x" * 65, "1-64"),
        ("cache_tags", "a b", "1-64"),
        ("cache_tags", ",".join(map(str, range(17))), "at most 16"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_what_is_allowed(
    header: str, value: str, allowed: str
) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as caught:
        wish(**{header: value})

    assert caught.value.param == f"x-interchange-{header.replace('_', '-')}"


@given(st.dictionaries(st.sampled_from(["cache", "cache_ttl", "cache_namespace", "cache_tags"]), st.binary()))
@settings(max_examples=100, deadline=None)
def test_whatever_is_sent_is_read_or_refused(sent: dict[str, bytes]) -> None:
    headers = {f"x-interchange-{name.replace('_', '-')}".encode(): value for name, value in sent.items()}
    try:
        found = read_cache_wish(headers)
    except InvalidRequest:
        return
    assert found.ttl_s is None or 0 < found.ttl_s <= 7_776_000
    assert len(found.tags) <= 16
    assert len(found.namespace) <= 128
