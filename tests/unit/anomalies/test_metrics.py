"""What counts as an anomaly of spending, latency, errors and requests."""

import random

from domain.anomalies.detector import Kind
from domain.anomalies.metrics import Found, Hour, Metric, amount, find_anomalies
from domain.anomalies.telling import sentence

DAY = 24
FIRST = 40 * DAY + 9


def hours(days: int = 45, requests: int = 400) -> list[Hour]:
    chance = random.Random(7)
    found = []
    for _ in range(days * DAY):
        count = chance.randint(requests * 9 // 10, requests * 11 // 10)
        failed = sum(chance.random() < 0.01 for _ in range(count))
        found.append(Hour(count, count - failed, count * 5_000_000, count * 800_000))
    return found


def changed(with_hour: list[Hour], count: int = 6, **by: float) -> list[Hour]:
    """The same with some hours multiplied."""
    for place in range(FIRST, FIRST + count):
        hour = with_hour[place]
        with_hour[place] = hour._replace(
            **{name: int(getattr(hour, name) * factor) for name, factor in by.items()}
        )
    return with_hour


def one(metric: Metric, of: list[Hour]) -> Found:
    (found,) = find_anomalies(metric, of)
    return found


def test_ordinary_hours_are_no_anomaly_of_anything() -> None:
    assert [find_anomalies(metric, hours()) for metric in Metric] == [[], [], [], []]


def test_spending_tells_what_it_cost_more() -> None:
    found = one(Metric.COST, changed(hours(), cost_nano_usd=4))
    assert found.window.first == FIRST
    assert 5.5 * 6 * 10**9 / 2 < found.change < 7 * 6 * 10**9
    text = sentence(Metric.COST, found.window)
    assert text.startswith("spending was $8.")
    assert " an hour, usual is $2.0" in text


def test_sentences_say_what_kind_it_is() -> None:
    found = one(Metric.COST, changed(hours(), cost_nano_usd=4)).window
    lasting = found._replace(kind=Kind.SHIFT, last=found.first + 13)
    assert sentence(Metric.COST, lasting).startswith("spending was $8.24 an hour for 14 hours, usual is $2.0")
    climbed = sentence(Metric.COST, found._replace(kind=Kind.DRIFT))
    assert climbed.startswith("spending climbed within days to $8.24 an hour, expected was $2.0")
    fallen = found._replace(kind=Kind.DRIFT, observed=30.0, expected=90.0)
    assert sentence(Metric.REQUESTS, fallen).startswith("requests fell within days to 30 an hour")


def test_less_than_a_dollar_is_not_worth_telling() -> None:
    cheap = [hour._replace(cost_nano_usd=hour.cost_nano_usd // 1000) for hour in hours()]
    assert find_anomalies(Metric.COST, changed(cheap, cost_nano_usd=4)) == []


def test_cheap_hours_are_no_anomaly_but_missing_requests_are() -> None:
    silent = changed(hours(), requests=0, ok_requests=0, cost_nano_usd=0, duration_us=0)
    assert find_anomalies(Metric.COST, silent) == []
    found = one(Metric.REQUESTS, silent)
    assert found.change < 0
    assert find_anomalies(Metric.LATENCY, silent) == []


def test_slow_and_failing_hours_are_found() -> None:
    slow = one(Metric.LATENCY, changed(hours(), duration_us=3))
    assert "ms, usual is 800 ms" in sentence(Metric.LATENCY, slow.window)
    failing = one(Metric.ERRORS, changed(hours(), ok_requests=0.5))
    assert "% of requests, usual is" in sentence(Metric.ERRORS, failing.window)
    assert 0.4 < failing.change / failing.requests < 0.6


def test_a_few_failures_among_few_requests_are_chance() -> None:
    assert find_anomalies(Metric.ERRORS, changed(hours(requests=30), ok_requests=0.93)) == []
    assert find_anomalies(Metric.ERRORS, changed(hours(requests=10), ok_requests=0.0)) == []


def test_hours_before_the_first_request_are_no_history() -> None:
    late = [Hour()] * (30 * DAY) + hours(2)
    assert [find_anomalies(metric, late) for metric in Metric] == [[], [], [], []]
    assert find_anomalies(Metric.COST, []) == []


def test_amounts_are_of_what_changed() -> None:
    hour = Hour(10, 7, 5, 90)
    assert [amount(metric, hour) for metric in Metric] == [5, 90, 3, 10]
