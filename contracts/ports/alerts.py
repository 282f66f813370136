"""What every store of objectives' measures, and every store of alerts, promises."""

import asyncio
from dataclasses import replace

import pytest

from application.ports.alerts import AlertStore, Finding, HistoryEntry, MeasureStore, Saved
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.sla.alert import Alert, AlertState
from domain.sla.measure import DAY_US, DURATION_MS, HOUR_US, MINUTE_US, OVERHEAD_MS, Measure

NOW_US = 1_772_366_400_000_000
"""The start of an hour."""
ONE = Measure(
    *(1, 2, 3, 4, 5, 6, 7, 8, 9),
    tuple(range(len(DURATION_MS) + 1)),
    tuple(range(len(OVERHEAD_MS) + 1)),
)
ALERT = Alert(
    rule="provider-failures",
    subject="openai",
    tenant_id="default",
    state=AlertState.FIRING,
    since_us=NOW_US,
    fired_at_us=NOW_US,
    firings=(NOW_US - 5, NOW_US),
    episode=2,
    told=True,
    value=0.25,
    threshold=0.05,
    note="25 % of 40 attempts failed: äöü",
)


class MeasureStoreContract(PortContract):
    """Bind `store`, and `unreachable`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> MeasureStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> MeasureStore:
        raise NotImplementedError

    async def test_what_is_added_is_summed_by_scope(self, store: MeasureStore) -> None:
        await store.add({(NOW_US, ""): ONE, (NOW_US, "provider:a"): ONE})
        await store.add({(NOW_US, ""): ONE, (NOW_US + MINUTE_US, ""): ONE})

        (found,) = await store.sums([(NOW_US, NOW_US + 5 * MINUTE_US)])

        assert found == {"": ONE.plus(ONE).plus(ONE), "provider:a": ONE}

    async def test_a_window_has_its_minutes_and_no_others(self, store: MeasureStore) -> None:
        for minute in range(-2, 3):
            await store.add({(NOW_US + minute * MINUTE_US, ""): ONE})

        found = await store.sums(
            [(NOW_US - MINUTE_US, NOW_US + MINUTE_US), (NOW_US - DAY_US, NOW_US - HOUR_US)]
        )

        assert found == [{"": ONE.plus(ONE)}, {}]

    async def test_long_windows_are_of_whole_hours(self, store: MeasureStore) -> None:
        for hour in (-25, -24, -1, 0):
            await store.add({(NOW_US + hour * HOUR_US + 7 * MINUTE_US, ""): ONE})

        (found,) = await store.sums([(NOW_US - DAY_US + 9 * MINUTE_US, NOW_US)])

        assert found == {"": ONE.plus(ONE)}

    async def test_minutes_go_after_hours_and_hours_after_weeks(self, store: MeasureStore) -> None:
        await store.add({(NOW_US - 8 * HOUR_US, ""): ONE, (NOW_US, ""): ONE})
        await store.forget(NOW_US)

        short, long = await store.sums([(NOW_US - HOUR_US, NOW_US + 1), (NOW_US - DAY_US, NOW_US + 1)])
        assert (short, long) == ({"": ONE}, {"": ONE.plus(ONE)})

        await store.forget(NOW_US + 40 * DAY_US)
        assert await store.sums([(NOW_US - DAY_US, NOW_US + 1)]) == [{}]

    async def test_many_at_once_lose_nothing(self, store: MeasureStore) -> None:
        scopes = ["", "provider:a", "provider:b"]
        await asyncio.gather(
            *(
                store.add({(NOW_US, scope): ONE for scope in scopes[turn % 3 :] + scopes[: turn % 3]})
                for turn in range(9)
            )
        )

        (found,) = await store.sums([(NOW_US, NOW_US + MINUTE_US)])

        assert {scope: each.requests for scope, each in found.items()} == dict.fromkeys(scopes, 9)

    async def test_an_unreachable_store_says_so(self, unreachable: MeasureStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable.sums([(NOW_US, NOW_US + 1)])
        with pytest.raises(StoreUnavailable):
            await unreachable.add({(NOW_US, ""): ONE})


def entry(alert: Alert, what: str, at_us: int) -> HistoryEntry:
    key = f"{alert.alert_id}:{at_us}:{what}"
    return HistoryEntry(
        key, at_us, alert.alert_id, alert.tenant_id, alert.rule, alert.subject, what, 0.5, None, "so", ""
    )


class AlertStoreContract(PortContract):
    """Bind `store`, and `unreachable`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> AlertStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> AlertStore:
        raise NotImplementedError

    async def test_an_alert_comes_back_as_it_was_saved(self, store: AlertStore) -> None:
        assert await store.save([Saved(ALERT)]) == 1

        assert await store.all() == [replace(ALERT, revision=1)]

    async def test_only_whoever_knew_the_newest_changes_it(self, store: AlertStore) -> None:
        await store.save([Saved(ALERT)])
        newer = replace(ALERT, revision=1, note="newer")

        assert await store.save([Saved(ALERT)]) == 0
        assert await store.save([Saved(newer)]) == 1
        assert await store.save([Saved(replace(newer, note="late"))]) == 0

        assert [each.note for each in await store.all()] == ["newer"]

    async def test_of_a_change_that_was_too_late_nothing_is_remembered(self, store: AlertStore) -> None:
        await store.save([Saved(ALERT, (entry(ALERT, "fired", NOW_US),))])
        await store.save([Saved(ALERT, (entry(ALERT, "resolved", NOW_US + 1),))])

        assert [each.what for each in await store.history(None, None)] == ["fired"]

    async def test_of_several_who_save_at_once_one_succeeds(self, store: AlertStore) -> None:
        done = await asyncio.gather(*(store.save([Saved(replace(ALERT, note=str(n)))]) for n in range(8)))

        assert sorted(done) == [0] * 7 + [1]

    async def test_a_tenant_sees_its_own(self, store: AlertStore) -> None:
        other = replace(ALERT, tenant_id="acme")
        await store.save([Saved(ALERT, (entry(ALERT, "fired", NOW_US),))])
        await store.save([Saved(other, (entry(other, "fired", NOW_US),))])

        assert [each.tenant_id for each in await store.all("acme")] == ["acme"]
        assert [each.tenant_id for each in await store.history("acme", None)] == ["acme"]
        assert await store.history("acme", ALERT.alert_id) == []

    async def test_history_is_newest_first_in_pages(self, store: AlertStore) -> None:
        entries = tuple(entry(ALERT, "fired", NOW_US + second) for second in range(5))
        await store.save([Saved(ALERT, entries)])

        first = await store.history("default", None, limit=2)
        rest = await store.history("default", ALERT.alert_id, before_us=first[-1].at_us)

        assert [*first, *rest] == list(reversed(entries))

    async def test_what_is_dropped_is_gone_and_its_history_stays(self, store: AlertStore) -> None:
        await store.save([Saved(ALERT, (entry(ALERT, "fired", NOW_US),))])
        await store.drop([ALERT])
        assert len(await store.all()) == 1

        await store.drop(await store.all())

        assert await store.all() == []
        assert len(await store.history(None, None)) == 1

    async def test_what_an_instance_reports_takes_the_place_of_what_it_said(self, store: AlertStore) -> None:
        first = Finding("breaker-open", "openai/gpt", "default", 1.0, "open", None)
        second = Finding("breaker-open", "azure/gpt", "default", None, "open", 7.0)
        await store.report("one", [first, first], NOW_US + 10)
        await store.report("two", [first], NOW_US + 20)
        await store.report("one", [second], NOW_US + 10)

        assert await store.reported(NOW_US) == [second, first]
        assert await store.reported(NOW_US + 10) == [first]
        await store.report("two", [], NOW_US + 99)
        assert await store.reported(NOW_US) == [second]

    async def test_what_is_old_is_forgotten(self, store: AlertStore) -> None:
        await store.save([Saved(ALERT, tuple(entry(ALERT, "fired", NOW_US + n) for n in range(4)))])
        await store.report("one", [Finding("r", "s", "t", 1.0, "")], NOW_US)

        assert await store.forget(NOW_US, NOW_US + 2) == 3
        assert [each.at_us for each in await store.history(None, None)] == [NOW_US + 3, NOW_US + 2]

    async def test_an_unreachable_store_says_so(self, unreachable: AlertStore) -> None:
        for asked in (unreachable.all(), unreachable.save([Saved(ALERT)]), unreachable.reported(NOW_US)):
            with pytest.raises(StoreUnavailable):
                await asked
