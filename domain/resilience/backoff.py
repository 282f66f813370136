"""How long to wait before the same target is asked again.

Full jitter: a wait is drawn evenly between nothing and a ceiling that doubles with each attempt, which
spreads callers that failed together better than any jitter around a fixed delay. A provider's own
Retry-After is a floor under that, within a clamp, because it may ask for an hour.
"""

import re
from datetime import UTC, datetime, timedelta

BACKOFF_BASE_S = 0.25
BACKOFF_CAP_S = 8.0
RETRY_AFTER_MAX_S = 60.0
"""The longest Retry-After that is waited out."""

_RETRY_AFTER_JITTER_S = 0.25
_RETRY_AFTER_JITTER_SHARE = 0.1
_EXPONENT_MAX = 30

_NUMBER = re.compile(r"(-?)(\d{1,12}(?:\.\d{1,12})?)", re.ASCII)
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_HTTP_DATES = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(
        rf"[A-Za-z]{{3}}, (?P<day>\d\d) (?P<month>[A-Za-z]{{3}}) (?P<year>\d{{4}}) {_CLOCK} GMT", re.ASCII
    ),
    # RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(
        rf"[A-Za-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[A-Za-z]{{3}})-(?P<year>\d\d) {_CLOCK} GMT", re.ASCII
    ),
    # asctime: Sun Nov  6 08:49:37 1994
    re.compile(
        rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII
    ),
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}


def full_jitter_s(
    attempt: int, *, draw: float, base_s: float = BACKOFF_BASE_S, cap_s: float = BACKOFF_CAP_S
) -> float:
    """A wait in [0, min(cap_s, base_s * 2**attempt)); `attempt` 0 is the first retry."""
    exponent = min(max(attempt, 0), _EXPONENT_MAX)
    return float(draw * min(cap_s, base_s * 2**exponent))


def retry_wait_s(attempt: int, *, retry_after_s: float | None, draw: float) -> float:
    """Seconds to wait before retry number `attempt` (0 is the first).

    At least the provider's Retry-After (clamped to RETRY_AFTER_MAX_S), plus a little jitter so that those
    who were told the same moment do not all come back in it; never less than the backoff's own draw.
    """
    backoff_s = full_jitter_s(attempt, draw=draw)
    if retry_after_s is None:
        return backoff_s
    floor_s = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S)
    jitter_s = draw * max(_RETRY_AFTER_JITTER_S, _RETRY_AFTER_JITTER_SHARE * floor_s)
    return max(backoff_s, floor_s + jitter_s)


def parse_retry_after(value: str | None, *, utc_now: datetime) -> float | None:
    """Seconds from now in a Retry-After header; None when there is none or it cannot be read.

    Takes whole or decimal seconds and the three date forms of RFC 9110 section 5.6.7. What lies in the
    past is 0. Not clamped: a cool-down may want the true value, a wait uses `retry_wait_s`.
    """
    if value is None:
        return None
    text = value.strip()
    if (seconds := _number(text)) is not None:
        return seconds
    at = _http_date(text, utc_now)
    return None if at is None else max(0.0, (at - utc_now).total_seconds())


def parse_retry_after_ms(value: str | None) -> float | None:
    """Seconds from now in a retry-after-ms header, as some providers send beside the standard one."""
    milliseconds = None if value is None else _number(value.strip())
    return None if milliseconds is None else milliseconds / 1000


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    return 0.0 if match[1] else float(match[2])


def _http_date(text: str, utc_now: datetime) -> datetime | None:
    for form in _HTTP_DATES:
        if match := form.fullmatch(text):
            break
    else:
        return None
    month = _MONTHS.get(match["month"].lower())
    if month is None:
        return None
    year = int(match["year"])
    two_digits = len(match["year"]) == 2
    if two_digits:
        year += utc_now.year // 100 * 100
    # A leap second is legal in a date, and unknown to datetime.
    second = min(int(match["second"]), 59) if match["second"] == "60" else int(match["second"])
    try:
        at = datetime(
            year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=UTC
        )
        # RFC 9110: a two-digit year that looks more than 50 years ahead means the past century.
        if two_digits and at - utc_now > timedelta(days=50 * 365.2425):
            at = at.replace(year=year - 100)
    except ValueError:
        return None
    return at
