"""Two secrets for a while, never three."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Conflict, InvalidRequest
from domain.tenancy.key import KeyRecord
from domain.tenancy.key_rotation import OVERLAP_MAX_S, rotated

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = KeyRecord(
    key_id="Key000000001",
    tenant_id="acme",
    name="robot",
    role="agent",
    hash=b"first",
    pepper_version=1,
    created_at=NOW,
    scheme="sha256",
)


def test_the_old_secret_is_kept_as_it_was_until_the_overlap_ends() -> None:
    turned = rotated(RECORD, b"second", 2, overlap_s=60, now=NOW)

    assert (turned.hash, turned.pepper_version, turned.scheme, turned.rotated_at) == (
        b"second",
        2,
        "own",
        NOW,
    )
    old = turned.overlap(NOW + timedelta(seconds=59))
    assert old is not None
    assert (old.hash, old.pepper_version, old.scheme) == (b"first", 1, "sha256")
    assert turned.overlap(NOW + timedelta(seconds=60)) is None


def test_no_overlap_ends_every_older_secret() -> None:
    turned = rotated(RECORD, b"second", 1, overlap_s=60, now=NOW)
    with pytest.raises(Conflict, match="two secrets"):
        rotated(turned, b"third", 1, overlap_s=60, now=NOW + timedelta(seconds=59))

    assert rotated(turned, b"third", 1, overlap_s=0, now=NOW).old_secret is None
    later = rotated(turned, b"third", 1, overlap_s=60, now=NOW + timedelta(seconds=60))
    assert later.old_secret is not None and later.old_secret.hash == b"second"


@pytest.mark.parametrize("overlap_s", [-1, OVERLAP_MAX_S + 1])
def test_an_overlap_is_bounded(overlap_s: int) -> None:
    with pytest.raises(InvalidRequest, match="overlap_seconds"):
        rotated(RECORD, b"second", 1, overlap_s=overlap_s, now=NOW)


@pytest.mark.parametrize("ended", [{"revoked_at": NOW}, {"expires_at": NOW}])
def test_what_lets_nobody_in_is_not_rotated(ended: dict[str, datetime]) -> None:
    with pytest.raises(Conflict, match="revoked or expired"):
        rotated(replace(RECORD, **ended), b"second", 1, overlap_s=0, now=NOW)  # type: ignore[arg-type]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 200)), max_size=12))
def test_a_secret_works_as_long_as_its_holder_was_told_unless_it_is_ended_at_once(
    turns: list[tuple[int, int]],
) -> None:
    record, now = RECORD, NOW
    promised: dict[bytes, datetime] = {}
    for number, (overlap_s, wait_s) in enumerate(turns):
        before = record.hash
        try:
            record = rotated(record, f"s{number}".encode(), 1, overlap_s=overlap_s, now=now)
        except Conflict:
            pass
        else:
            promised = {before: now + timedelta(seconds=overlap_s)} if overlap_s else {}
        now += timedelta(seconds=wait_s)
        for secret, until in promised.items():
            old = record.overlap(now)
            assert (old is not None and old.hash == secret) == (now < until)
