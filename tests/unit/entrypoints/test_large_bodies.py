"""Room for large bodies: bounded, given back, and never too small for one."""

import pytest

from domain.errors import Overloaded
from entrypoints.http.large_bodies import LARGE_FROM_BYTES, LargeBodies

MB = 1024 * 1024


@pytest.fixture
def room() -> LargeBodies:
    return LargeBodies(10 * MB, 4 * MB)


def test_small_bodies_take_no_room(room: LargeBodies) -> None:
    assert room.size_of({b"content-length": str(LARGE_FROM_BYTES - 1).encode()}) == 0
    assert room.size_of({}) == 0


def test_a_declared_length_is_what_is_held_up_to_the_limit_of_one(room: LargeBodies) -> None:
    assert room.size_of({b"content-length": b"1000000"}) == 1_000_000
    assert room.size_of({b"content-length": b"99999999999"}) == 4 * MB


def test_an_unknown_length_holds_as_much_as_one_body_may_have(room: LargeBodies) -> None:
    assert room.size_of({b"transfer-encoding": b"chunked"}) == 4 * MB
    assert room.size_of({b"content-length": b"999999", b"content-encoding": b"zstd"}) == 4 * MB


@pytest.mark.parametrize("declared", [b"x", b"-1", b"1" * 40, b""])
def test_a_length_that_is_none_is_left_to_whoever_reads_the_body(room: LargeBodies, declared: bytes) -> None:
    assert room.size_of({b"content-length": declared}) == 0


def test_a_full_room_refuses_until_something_is_given_back(room: LargeBodies) -> None:
    room.take(6 * MB)
    room.take(4 * MB)
    with pytest.raises(Overloaded) as refused:
        room.take(1)
    assert refused.value.retry_after_s
    room.give_back(4 * MB)
    room.take(1)
    assert room.held_bytes == 6 * MB + 1


def test_one_body_always_fits_into_an_empty_room() -> None:
    room = LargeBodies(MB, 4 * MB)
    room.take(4 * MB)
    assert room.held_bytes == 4 * MB
