"""Binds the clocks and id factories."""

import pytest

from adapters.memory.system import CountingIds, SteppingClock
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from application.ports.system import Clock, IdFactory
from contracts.ports.system import ClockContract, IdFactoryContract


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestSteppingClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SteppingClock()


class TestTimeOrderedIds(IdFactoryContract):
    @pytest.fixture
    def ids(self) -> IdFactory:
        return TimeOrderedIds()


class TestCountingIds(IdFactoryContract):
    @pytest.fixture
    def ids(self) -> IdFactory:
        return CountingIds()
