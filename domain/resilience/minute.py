"""What was used within the last minute, counted in seconds: bounded, and never less than the truth."""

from collections import deque

WINDOW_S = 60.0


class MinuteWindow:
    """Requests and tokens of the last minute. A second counts until all of it is a minute old."""

    __slots__ = ("_seconds", "requests", "tokens")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self.requests = 0
        self.tokens = 0

    def add(self, now: float, requests: int, tokens: int) -> None:
        """Counts them at `now`; later calls never come with an earlier time."""
        self.forget_old(now)
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            last = self._seconds[-1]
            last[1] += requests
            last[2] += tokens
        else:
            self._seconds.append([second, requests, tokens])
        self.requests += requests
        self.tokens += tokens

    def correct(self, at: float, tokens: int) -> None:
        """Adds tokens (or takes some back) to what was counted at `at`, as long as that still counts."""
        second = int(at)
        for entry in reversed(self._seconds):
            if entry[0] == second:
                change = max(tokens, -entry[2])
                entry[2] += change
                self.tokens += change
                return
            if entry[0] < second:
                return

    def forget_old(self, now: float) -> None:
        """Drops the seconds that are all a minute old."""
        seconds = self._seconds
        while seconds and seconds[0][0] + 1 + WINDOW_S <= now:
            _, requests, tokens = seconds.popleft()
            self.requests -= requests
            self.tokens -= tokens

    def room_after_s(self, now: float, *, requests: int, tokens: int) -> float:
        """Seconds until so many requests and tokens have left the window."""
        if requests <= 0 and tokens <= 0:
            return 0.0
        for second, used, used_tokens in self._seconds:
            requests -= used
            tokens -= used_tokens
            if requests <= 0 and tokens <= 0:
                return max(0.0, second + 1 + WINDOW_S - now)
        return WINDOW_S
