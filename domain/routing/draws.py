"""Many draws out of one: a plan is a function of its inputs, and one number in [0, 1) is one of them."""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_DRAW_BITS = 53


class Draws:
    """The first is the draw itself; the others are spread from it by splitmix64 (Steele, Lea, Flood 2014)."""

    __slots__ = ("_first", "_state")

    def __init__(self, draw: float) -> None:
        self._first: float | None = draw
        self._state = int(draw * (1 << _DRAW_BITS)) & _MASK

    def next(self) -> float:
        """The next number in [0, 1)."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        self._state = (self._state + _GOLDEN) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        mixed ^= mixed >> 31
        return (mixed >> (64 - _DRAW_BITS)) / (1 << _DRAW_BITS)

    def below(self, count: int) -> int:
        """The next draw as a whole number in [0, count)."""
        return min(int(self.next() * count), count - 1)
