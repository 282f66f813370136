"""Several keys of one provider: limits hold, resting keys rest, weights share what is unknown."""

from collections import Counter, deque

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from domain.llm.failures import FailureKind
from domain.resilience.key_pool import QUOTA_REST_S, Headroom, KeyPool, PoolKey

LIMITS = st.one_of(st.none(), st.integers(1, 12))
TOKEN_LIMITS = st.one_of(st.none(), st.integers(50, 400))


def pool(*keys: PoolKey) -> KeyPool:
    return KeyPool(keys)


def picked(
    keys: KeyPool, *, now: float = 0.0, draw: float = 0.0, tokens: int = 10, **more: str
) -> str | None:
    claim = keys.claim(now, draw, tokens, **more)
    return None if claim is None else claim.key_id


@settings(max_examples=150, deadline=None)
@given(
    limits=st.lists(st.tuples(LIMITS, TOKEN_LIMITS), min_size=1, max_size=4),
    calls=st.lists(
        st.tuples(st.floats(0, 20), st.floats(0, 1, exclude_max=True), st.integers(1, 50)), max_size=120
    ),
)
def test_no_declared_limit_is_passed_within_any_minute(
    limits: list[tuple[int | None, int | None]], calls: list[tuple[float, float, int]]
) -> None:
    keys = KeyPool([PoolKey(f"key{n}", rpm=rpm, tpm=tpm) for n, (rpm, tpm) in enumerate(limits)])
    declared = {f"key{n}": limit for n, limit in enumerate(limits)}
    used: dict[str, deque[tuple[float, int]]] = {key: deque() for key in declared}
    now = 0.0
    for pause_s, draw, tokens in calls:
        now += pause_s
        claim = keys.claim(now, draw, tokens)
        for key in used.values():
            while key and key[0][0] <= now - 60:
                key.popleft()
        if claim is None:
            # Nobody has room: every key has a limit that this call would pass in the coarser window.
            assert all(rpm is not None or tpm is not None for rpm, tpm in declared.values())
            assert keys.back_after_s(now, tokens) > 0
            continue
        used[claim.key_id].append((now, tokens))
        rpm, tpm = declared[claim.key_id]
        assert rpm is None or len(used[claim.key_id]) <= rpm
        assert tpm is None or sum(each for _, each in used[claim.key_id]) <= tpm
        keys.settle(claim, tokens)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.floats(0, 30),
            st.floats(0, 1, exclude_max=True),
            st.sampled_from([None, FailureKind.RATE_LIMIT, FailureKind.QUOTA, FailureKind.SERVER_ERROR]),
            st.floats(0, 90),
        ),
        max_size=60,
    )
)
def test_a_resting_key_is_never_picked(
    steps: list[tuple[float, float, FailureKind | None, float]],
) -> None:
    keys = pool(PoolKey("a"), PoolKey("b", weight=5), PoolKey("c"))
    rests_until = dict.fromkeys("abc", 0.0)
    now = 0.0
    for pause_s, draw, kind, rest_s in steps:
        now += pause_s
        claim = keys.claim(now, draw, 1)
        free = [key for key, until in rests_until.items() if until <= now]
        assert (claim is not None) == bool(free)
        assert (keys.closed_until > now) == (not free)
        if claim is None:
            continue
        assert claim.key_id in free
        keys.settle(claim, 1)
        if kind is None:
            keys.answered(claim.key_id, now, None)
            continue
        keys.failed(claim.key_id, kind, rest_s, now)
        if kind is FailureKind.RATE_LIMIT:
            rests_until[claim.key_id] = now + rest_s
        elif kind is FailureKind.QUOTA:
            rests_until[claim.key_id] = now + max(rest_s, QUOTA_REST_S)


def test_keys_nothing_is_known_of_share_by_weight() -> None:
    keys = pool(PoolKey("light"), PoolKey("heavy", weight=3))
    shares = Counter(picked(keys, draw=draw / 1000) for draw in range(1000))
    assert shares == {"light": 250, "heavy": 750}


def test_the_key_with_most_left_is_picked() -> None:
    keys = pool(PoolKey("a", rpm=100), PoolKey("b", rpm=10))
    for key, left in (("a", 20), ("b", 9)):
        keys.answered(key, 0.0, Headroom(100, left, 60.0) if key == "a" else None)
    assert picked(keys, draw=0.0) == "b"


def test_what_a_provider_told_is_forgotten_with_its_reset() -> None:
    keys = pool(PoolKey("a"), PoolKey("b"))
    keys.answered("a", 0.0, Headroom(100, 1, 10.0))
    keys.answered("b", 0.0, Headroom(100, 90, 10.0))
    assert {picked(keys, now=1.0, draw=draw) for draw in (0.0, 0.9)} == {"b"}
    assert {picked(keys, now=11.0, draw=draw) for draw in (0.0, 0.9)} == {"a", "b"}


def test_a_told_limit_ranks_a_key_but_never_rules_it_out() -> None:
    keys = pool(PoolKey("a"))
    keys.answered("a", 0.0, Headroom(10, 0, 30.0))
    assert picked(keys, now=1.0) == "a"


def test_a_refused_key_is_probed_alone_and_rests_longer_every_time() -> None:
    keys = pool(PoolKey("a"), PoolKey("b"))
    keys.failed("a", FailureKind.AUTH, None, 0.0)
    assert {picked(keys, now=59.0, draw=draw) for draw in (0.0, 0.9)} == {"b"}
    probe = keys.claim(60.0, 0.0, 1)
    assert probe is not None
    assert probe.key_id == "a"
    assert picked(keys, now=60.0, draw=0.0) == "b"
    keys.settle(probe, None)
    keys.failed("a", FailureKind.AUTH, None, 60.0)
    assert picked(keys, now=179.0, draw=0.0) == "b"
    (status, _) = keys.statuses(179.0)
    assert (status.state, status.back_after_s) == ("refused", 1.0)
    assert picked(keys, now=180.0, draw=0.0) == "a"
    keys.answered("a", 181.0, None)
    assert keys.statuses(181.0)[0].state == "ready"


def test_a_warm_key_is_preferred_while_it_has_room() -> None:
    keys = pool(PoolKey("a", rpm=10), PoolKey("b", rpm=100))
    names = [picked(keys, prefer="a") for _ in range(11)]
    assert names[:9] == ["a"] * 9
    assert names[9:] == ["b", "b"]


def test_a_call_that_only_one_account_can_serve_meets_no_other() -> None:
    keys = pool(PoolKey("a"), PoolKey("b"))
    assert {picked(keys, draw=draw, only="a") for draw in (0.0, 0.9)} == {"a"}
    keys.failed("a", FailureKind.RATE_LIMIT, 5.0, 0.0)
    assert picked(keys, only="a") is None
    assert keys.back_after_s(0.0, only="a") == pytest.approx(5.0)
    assert keys.back_after_s(0.0) == 0.0


def test_a_key_with_another_secret_starts_anew_and_others_keep_what_is_known() -> None:
    keys = pool(PoolKey("a", mark=1), PoolKey("b", mark=2))
    for key in "ab":
        keys.failed(key, FailureKind.QUOTA, None, 0.0)
    assert picked(keys, now=1.0) is None
    keys.configure([PoolKey("a", mark=9), PoolKey("b", mark=2, weight=100)])
    assert {picked(keys, now=1.0, draw=draw) for draw in (0.0, 0.9)} == {"a"}


def test_what_a_call_really_took_replaces_what_was_expected() -> None:
    keys = pool(PoolKey("a", tpm=100))
    claim = keys.claim(0.0, 0.0, 90)
    assert claim is not None
    assert picked(keys, tokens=20) is None
    keys.settle(claim, 10)
    assert picked(keys, tokens=20) == "a"
    assert keys.statuses(0.0)[0].tokens_last_minute == 30
