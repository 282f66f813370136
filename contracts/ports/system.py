"""What every Clock and every IdFactory promises."""

import re
from datetime import timedelta

import pytest

from application.ports.system import Clock, IdFactory
from contracts.ports._base import PortContract


class ClockContract(PortContract):
    """Bind `clock`."""

    @pytest.fixture
    def clock(self) -> Clock:
        raise NotImplementedError

    def test_monotonic_time_never_goes_back(self, clock: Clock) -> None:
        seen = [clock.monotonic() for _ in range(100)]

        assert seen == sorted(seen)

    def test_the_time_of_day_is_aware_and_utc(self, clock: Clock) -> None:
        assert clock.utc_now().utcoffset() == timedelta(0)


class IdFactoryContract(PortContract):
    """Bind `ids`."""

    @pytest.fixture
    def ids(self) -> IdFactory:
        raise NotImplementedError

    def test_ids_carry_their_prefix_and_are_safe_in_a_url(self, ids: IdFactory) -> None:
        made = ids.next("req")

        assert re.fullmatch(r"req_[A-Za-z0-9_-]+", made)
        assert len(made) <= 40

    def test_ids_rise_and_never_repeat(self, ids: IdFactory) -> None:
        made = [ids.next("req") for _ in range(5000)]

        assert made == sorted(made)
        assert len(set(made)) == 5000
