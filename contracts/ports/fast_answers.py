"""What every first tier promises."""

from abc import abstractmethod

import pytest

from application.ports.fast_answers import FastAnswers
from application.ports.system import Clock
from contracts.ports._base import PortContract
from contracts.ports.answer_store import kept_answer
from domain.caching.entry import ENTRY_OVERHEAD_BYTES, CachedAnswer


def named(name: object) -> bytes:
    """A key of the right length."""
    return str(name).encode().rjust(32, b".")


class FastAnswersContract(PortContract):
    """Bind `clock`, and `tier`: room for so many empty answers."""

    @pytest.fixture
    def clock(self) -> Clock:
        raise NotImplementedError

    @abstractmethod
    def tier(self, answers_max: int, clock: Clock) -> FastAnswers:
        """A new one; `answers_max * ENTRY_OVERHEAD_BYTES` bytes."""

    def answer(
        self, clock: Clock, name: object, tenant_id: str = "acme", size_bytes: int = 0
    ) -> CachedAnswer:
        return kept_answer(clock, named(name), tenant_id=tenant_id, body=b"x" * size_bytes)

    def test_what_was_put_is_found(self, clock: Clock) -> None:
        tier, answer = self.tier(10, clock), self.answer(clock, "a")

        assert tier.put(answer)

        assert tier.get(named("a")) == answer
        assert tier.get(named("b")) is None

    def test_the_last_of_one_key_counts(self, clock: Clock) -> None:
        tier = self.tier(10, clock)
        tier.put(self.answer(clock, "a", size_bytes=500))
        later = self.answer(clock, "a", size_bytes=100)

        tier.put(later)

        assert tier.get(named("a")) == later
        facts = tier.facts()
        assert (facts.entries, facts.bytes_used) == (1, later.size_bytes)

    def test_what_is_dropped_is_gone(self, clock: Clock) -> None:
        tier = self.tier(10, clock)
        tier.put(self.answer(clock, "a"))

        assert tier.drop(named("a"))

        assert not tier.drop(named("a"))
        assert tier.get(named("a")) is None
        assert (tier.facts().entries, tier.facts().bytes_used, tier.facts().tenants) == (0, 0, 0)

    def test_clearing_leaves_nothing(self, clock: Clock) -> None:
        tier = self.tier(10, clock)
        for name in range(5):
            tier.put(self.answer(clock, name, tenant_id=f"t{name}"))

        tier.clear()

        assert all(tier.get(named(name)) is None for name in range(5))
        assert (tier.facts().entries, tier.facts().bytes_used, tier.facts().tenants) == (0, 0, 0)
        assert tier.put(self.answer(clock, "a"))

    def test_it_never_holds_more_bytes_than_it_may(self, clock: Clock) -> None:
        tier = self.tier(20, clock)
        for name in range(300):
            tier.put(self.answer(clock, name, tenant_id=f"t{name % 7}", size_bytes=(name * 37) % 3000))
            tier.get(named(name // 2))

            assert tier.facts().bytes_used <= tier.facts().bytes_max

        found = [answer for name in range(300) if (answer := tier.get(named(name))) is not None]
        assert sum(answer.size_bytes for answer in found) == tier.facts().bytes_used
        assert len(found) == tier.facts().entries
        assert tier.facts().evictions == 300 - len(found)

    def test_one_that_would_push_out_all_others_is_refused(self, clock: Clock) -> None:
        tier = self.tier(10, clock)
        tier.put(self.answer(clock, "a"))

        taken = tier.put(self.answer(clock, "b", size_bytes=11 * ENTRY_OVERHEAD_BYTES))

        assert not taken and tier.get(named("b")) is None
        assert tier.get(named("a")) is not None
        assert tier.facts().refused == 1

    def test_a_refused_one_takes_its_old_form_with_it(self, clock: Clock) -> None:
        tier = self.tier(10, clock)
        tier.put(self.answer(clock, "a"))

        tier.put(self.answer(clock, "a", size_bytes=11 * ENTRY_OVERHEAD_BYTES))

        assert tier.get(named("a")) is None

    def test_what_is_asked_for_outlives_what_is_not(self, clock: Clock) -> None:
        tier = self.tier(20, clock)
        for name in range(5):
            tier.put(self.answer(clock, name))
        for number in range(200):
            for name in range(5):
                tier.get(named(name))
            tier.put(self.answer(clock, f"once {number}"))

        assert all(tier.get(named(name)) is not None for name in range(5))

    def test_a_small_tenant_keeps_everything_while_a_large_one_floods(self, clock: Clock) -> None:
        """Even what nobody asks for: the flood makes room for itself."""
        tier = self.tier(40, clock)
        for name in range(10):
            tier.put(self.answer(clock, f"small {name}", tenant_id="small"))

        for number in range(500):
            tier.put(self.answer(clock, f"flood {number}", tenant_id="large"))
            tier.get(named(f"flood {number}"))
            tier.get(named(f"flood {number}"))

        assert all(tier.get(named(f"small {name}")) is not None for name in range(10))
