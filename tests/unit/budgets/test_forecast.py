"""What is said of the future follows from what was spent, and nothing absurd does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.budgets.forecast import DAY_US, HOUR_US, Spending, forecast
from domain.money import NANO_PER_USD

START = 1_767_225_600_000_000
MONTH = 31 * DAY_US
amounts = st.integers(0, 10**18)


def usd(amount: float) -> int:
    return int(amount * NANO_PER_USD)


@st.composite
def spendings(draw: st.DrawFn) -> tuple[Spending, int]:
    start = draw(st.none() | st.just(START))
    rolling = draw(st.sampled_from((0, 0, HOUR_US, 30 * DAY_US)))
    end = None if rolling else draw(st.none() | st.integers(START + HOUR_US, START + 366 * DAY_US))
    now = START + draw(st.integers(-DAY_US, 400 * DAY_US))
    day = draw(st.none() | amounts)
    spending = Spending(
        draw(amounts),
        draw(amounts),
        0 if rolling else start,
        end,
        rolling,
        draw(st.none() | amounts),
        day,
    )
    return spending, now


@settings(max_examples=200)
@given(spendings())
def test_a_forecast_never_looks_back_and_never_takes_spending_away(given_: tuple[Spending, int]) -> None:
    spending, now = given_
    now = max(now, spending.start_us or 0)

    told = forecast(spending, now)

    assert told.rate_nano_usd_per_day >= 0
    assert told.observed_us >= 0
    if told.exhausted_at_us is not None:
        assert told.exhausted_at_us >= now
    if told.projected_nano_usd is not None and not spending.rolling_us:
        assert told.projected_nano_usd >= spending.committed_nano_usd


@settings(max_examples=200)
@given(spendings())
def test_what_is_exhausted_before_the_end_is_projected_over_the_limit(given_: tuple[Spending, int]) -> None:
    spending, now = given_
    told = forecast(spending, now)
    if spending.end_us is None or told.projected_nano_usd is None:
        return
    if told.exhausted_at_us is None:
        assert told.projected_nano_usd <= spending.limit_nano_usd + told.rate_nano_usd_per_day // DAY_US + 1
    else:
        assert told.projected_nano_usd >= spending.limit_nano_usd - told.rate_nano_usd_per_day // DAY_US - 1


@settings(max_examples=200)
@given(spendings(), st.integers(0, 10**15))
def test_who_spent_more_has_less_time(given_: tuple[Spending, int], more: int) -> None:
    spending, now = given_
    if spending.rolling_us:
        return
    less = forecast(spending, now)
    worse = forecast(spending._replace(committed_nano_usd=spending.committed_nano_usd + more), now)

    assert worse.rate_nano_usd_per_day >= less.rate_nano_usd_per_day
    if less.exhausted_at_us is not None:
        assert worse.exhausted_at_us is not None
        assert worse.exhausted_at_us <= less.exhausted_at_us


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(1, 10**12))
def test_an_even_rate_is_found_and_ends_where_a_line_would(days: int, per_hour: int) -> None:
    now, per_day = START + days * DAY_US, 24 * per_hour
    spent = days * per_day
    even = Spending(40 * per_day, spent, START, START + 365 * DAY_US, 0, per_hour, per_day)

    told = forecast(even, now)

    assert told.rate_nano_usd_per_day == per_day
    assert told.exhausted_at_us == START + 40 * DAY_US
    assert told.projected_nano_usd == 365 * per_day


def test_nothing_spent_is_never_exhausted() -> None:
    told = forecast(Spending(usd(5), 0, START, START + MONTH, 0, 0, 0), START + DAY_US)

    assert told == (0, DAY_US, 0, None)


def test_a_spent_budget_is_exhausted_now() -> None:
    told = forecast(Spending(usd(5), usd(5), START, START + MONTH), START + DAY_US)

    assert told.exhausted_at_us == START + DAY_US


def test_the_first_minute_of_a_period_says_nothing() -> None:
    told = forecast(Spending(usd(5), usd(1), START, START + MONTH, 0, usd(1), usd(1)), START + 30_000_000)

    assert told.rate_nano_usd_per_day == 0
    assert told.exhausted_at_us is None


def test_a_burst_in_the_last_hour_counts_less_over_a_month_than_over_a_day() -> None:
    now = START + 10 * DAY_US
    month = forecast(Spending(usd(900), usd(11), START, START + MONTH, 0, usd(1), usd(2)), now)
    day = forecast(Spending(usd(900), usd(2), now - HOUR_US * 12, now + HOUR_US * 12, 0, usd(1), usd(2)), now)

    assert month.rate_nano_usd_per_day < day.rate_nano_usd_per_day


def test_a_sliding_window_fills_only_when_more_comes_than_goes() -> None:
    window = 30 * DAY_US
    now = START
    steady = Spending(usd(40), usd(30), 0, None, window, usd(1) // 24, usd(1))
    rising = steady._replace(hour_nano_usd=usd(2), day_nano_usd=usd(10))

    assert forecast(steady, now).exhausted_at_us is None
    assert forecast(rising, now).exhausted_at_us is not None


def test_a_total_without_a_known_beginning_is_told_from_the_last_day() -> None:
    told = forecast(Spending(usd(100), usd(90), None, None, 0, None, usd(5)), START)

    assert told.rate_nano_usd_per_day == usd(5)
    assert told.projected_nano_usd is None
    assert told.exhausted_at_us == START + 2 * DAY_US
