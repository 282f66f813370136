"""Binds the first tiers."""

import pytest

from adapters.memory.fast_answers import InMemoryFastAnswers
from adapters.memory.system import SteppingClock
from application.ports.fast_answers import FastAnswers
from application.ports.system import Clock
from contracts.ports.fast_answers import FastAnswersContract
from domain.caching.entry import ENTRY_OVERHEAD_BYTES


class TestInMemoryFastAnswers(FastAnswersContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SteppingClock()

    def tier(self, answers_max: int, clock: Clock) -> FastAnswers:
        return InMemoryFastAnswers(answers_max * ENTRY_OVERHEAD_BYTES, clock)
