"""What reuse of answers to similar questions did or would do, counted, with how sure that is."""

from dataclasses import dataclass

from domain.caching.intervals import Interval, exact_interval


@dataclass(slots=True, kw_only=True)
class ObservedRates:
    """In `observe`, `hits` are what would have been served; else what was. `audited` of them were asked again
    and compared, `wrong` of those were not worth the same. `unjudged` were asked again, too, but nobody could
    say: were they wrong more often than others, the measured error is too low."""

    looked_for: int = 0
    hits: int = 0
    audited: int = 0
    wrong: int = 0
    unjudged: int = 0

    def note_question(self) -> None:
        self.looked_for += 1

    def note_hit(self) -> None:
        self.hits += 1

    def note_audit(self, *, same: bool) -> None:
        self.audited += 1
        self.wrong += not same

    def note_unjudged(self) -> None:
        self.unjudged += 1

    @property
    def hit_ratio(self) -> float | None:
        """Of questions that were looked for. None: nothing was."""
        return self.hits / self.looked_for if self.looked_for else None

    @property
    def error_rate(self) -> float | None:
        """Wrong of audited hits. None: none was audited."""
        return self.wrong / self.audited if self.audited else None

    @property
    def error_interval(self) -> Interval:
        """Where the true share of wrong hits lies, 95 times of 100."""
        return exact_interval(self.wrong, self.audited)

    def as_numbers(self) -> tuple[float, ...]:
        return (self.looked_for, self.hits, self.audited, self.wrong, self.unjudged)

    @classmethod
    def from_numbers(cls, numbers: tuple[float, ...]) -> "ObservedRates":
        """Raises ValueError for what `as_numbers` never gave."""
        if len(numbers) != 5 or any(number < 0 for number in numbers):
            raise ValueError("five counts are wanted")
        looked_for, hits, audited, wrong, unjudged = map(int, numbers)
        return cls(looked_for=looked_for, hits=hits, audited=audited, wrong=wrong, unjudged=unjudged)
