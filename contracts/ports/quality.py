"""What every QualityStore promises."""

from dataclasses import replace

import pytest

from application.ports.quality import (
    CHECKS,
    JUDGE,
    CellFilter,
    FeedbackFilter,
    FeedbackPlace,
    Observation,
    QualityStore,
)
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.quality.cells import CellCounts, CellKey
from domain.quality.feedback import Feedback, verdict_of
from domain.quality.scores import Opinions

NOW_US = 1_900_000_000_000_000
HOUR_US = 3_600_000_000


def feedback(request_id: str = "req_1", **changed: object) -> Feedback:
    made = Feedback(
        tenant_id="acme",
        request_id=request_id,
        key_id="Key000000001",
        source="",
        verdict=verdict_of(rating=4),
        comment="fast, but übervorsichtig",
        given_at_us=NOW_US,
        asked_at_us=NOW_US - HOUR_US,
        user_id="alice",
        agent_id="researcher",
        provider="alpha",
        model="small",
        task="chat",
        route="assistant",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def observation(request_id: str = "req_1", source: str = CHECKS, **changed: object) -> Observation:
    made = Observation(
        tenant_id="acme",
        request_id=request_id,
        source=source,
        provider="alpha",
        model="small",
        task="chat",
        route="assistant",
        observed_at_us=NOW_US,
    )
    return made._replace(**changed)  # type: ignore[arg-type]


class QualityStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> QualityStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> QualityStore:
        raise NotImplementedError

    async def test_what_was_said_is_what_is_read_the_newest_first(self, store: QualityStore) -> None:
        said = [
            feedback(),
            feedback("req_2", given_at_us=NOW_US + 1, verdict=verdict_of(label="off-topic"), comment=""),
        ]
        assert [await store.give(each) for each in said] == [True, True]
        assert await store.feedback(FeedbackFilter(), limit=10) == [said[1], said[0]]
        assert await store.feedback(FeedbackFilter(), limit=1) == [said[1]]

    async def test_one_source_says_one_thing_of_a_request_and_may_change_its_mind(
        self, store: QualityStore
    ) -> None:
        await store.give(feedback())
        changed = feedback(verdict=verdict_of(thumbs="down"), given_at_us=NOW_US + 5)
        assert not await store.give(changed)
        assert await store.feedback(FeedbackFilter(), limit=10) == [changed]
        assert await store.give(feedback(source="reviewer"))
        assert await store.give(feedback(key_id="Key000000002"))
        assert await store.give(feedback(tenant_id="other"))
        assert len(await store.feedback(FeedbackFilter(), limit=10)) == 4

    async def test_filters_choose(self, store: QualityStore) -> None:
        one = feedback()
        other = feedback(
            "req_2",
            tenant_id="other",
            key_id="Key000000002",
            source="reviewer",
            provider="beta",
            model="large",
            task="code",
            route="coder",
            verdict=verdict_of(score=0.1),
            given_at_us=NOW_US + HOUR_US,
        )
        await store.give(one)
        await store.give(other)
        only_other = (
            FeedbackFilter(tenant_id="other"),
            FeedbackFilter(request_id="req_2"),
            FeedbackFilter(key_id="Key000000002"),
            FeedbackFilter(source="reviewer"),
            FeedbackFilter(provider="beta"),
            FeedbackFilter(model="large"),
            FeedbackFilter(task="code"),
            FeedbackFilter(route="coder"),
            FeedbackFilter(kind="score"),
            FeedbackFilter(score_max=0.5),
            FeedbackFilter(from_us=NOW_US + HOUR_US),
        )
        for where in only_other:
            assert await store.feedback(where, limit=10) == [other], where
        for where in (FeedbackFilter(score_min=0.5), FeedbackFilter(to_us=NOW_US + HOUR_US)):
            assert await store.feedback(where, limit=10) == [one], where

    async def test_pages_follow_one_another(self, store: QualityStore) -> None:
        for n in range(5):
            await store.give(feedback(f"req_{n}"))
        seen: list[str] = []
        after = None
        while page := await store.feedback(FeedbackFilter(after=after), limit=2):
            seen += [each.request_id for each in page]
            last = page[-1]
            after = FeedbackPlace(last.given_at_us, last.request_id, last.key_id, last.source)
        assert seen == ["req_4", "req_3", "req_2", "req_1", "req_0"]

    async def test_cells_count_what_was_said_and_found(self, store: QualityStore) -> None:
        await store.give(feedback())
        await store.give(feedback("req_2", verdict=verdict_of(thumbs="down")))
        await store.give(feedback("req_3", verdict=verdict_of(label="off-topic")))
        await store.note(
            [
                observation(),
                observation("req_2", findings="refusal", failed=True, refused=True),
                observation("req_3", findings="invalid_json", failed=True, json_broken=True),
                observation("req_1", JUDGE, score=0.75, judge="assistant"),
            ]
        )
        assert await store.cells(CellFilter()) == [
            CellCounts(
                CellKey("alpha", "small", "chat", "assistant"),
                feedback=Opinions(2, 0.75),
                labels=1,
                judged=Opinions(1, 0.75),
                checked=3,
                failed=2,
                refusals_found=1,
                json_found_broken=1,
            )
        ]

    async def test_cells_are_of_one_tenant_where_asked(self, store: QualityStore) -> None:
        await store.give(feedback())
        await store.give(feedback("req_9", tenant_id="other", verdict=verdict_of(rating=1)))
        [mine] = await store.cells(CellFilter(tenant_id="acme"))
        assert mine.feedback == Opinions(1, 0.75)
        assert mine.key.tenant_id == ""
        both = await store.cells(CellFilter(), tenants=True)
        assert [cell.key.tenant_id for cell in both] == ["acme", "other"]
        [together] = await store.cells(CellFilter())
        assert together.feedback == Opinions(2, 0.75)

    async def test_cells_are_of_what_is_asked_for(self, store: QualityStore) -> None:
        await store.give(feedback())
        await store.note([observation("req_2", model="large", task="code", route="coder", provider="beta")])
        for where in (
            CellFilter(provider="beta"),
            CellFilter(models=("large", "none")),
            CellFilter(task="code"),
            CellFilter(route="coder"),
        ):
            [found] = await store.cells(where)
            assert found.key == CellKey("beta", "large", "code", "coder")
        assert await store.cells(CellFilter(from_us=NOW_US + 1)) == []
        assert await store.cells(CellFilter(to_us=NOW_US)) == []

    async def test_what_nobody_answered_counts_for_nobody(self, store: QualityStore) -> None:
        await store.give(feedback(provider="", model=""))
        assert await store.cells(CellFilter()) == []

    async def test_a_later_look_at_a_request_takes_the_place_of_an_earlier_one(
        self, store: QualityStore
    ) -> None:
        await store.note([observation(failed=True), observation(failed=False)])
        [cell] = await store.cells(CellFilter())
        assert (cell.checked, cell.failed) == (1, 0)
        await store.note([observation(failed=True)])
        [cell] = await store.cells(CellFilter())
        assert (cell.checked, cell.failed) == (1, 1)

    async def test_what_is_too_old_goes(self, store: QualityStore) -> None:
        await store.give(feedback())
        await store.give(feedback("req_2", given_at_us=NOW_US + HOUR_US))
        await store.note([observation(), observation("req_2", observed_at_us=NOW_US + HOUR_US)])
        assert await store.purge(NOW_US + 1) == 2
        [left] = await store.feedback(FeedbackFilter(), limit=10)
        assert left.request_id == "req_2"
        [cell] = await store.cells(CellFilter())
        assert cell.checked == 1

    async def test_an_unreachable_store_says_so(self, unreachable_store: QualityStore) -> None:
        for act in (
            unreachable_store.give(feedback()),
            unreachable_store.feedback(FeedbackFilter(), limit=1),
            unreachable_store.note([observation()]),
            unreachable_store.cells(CellFilter()),
            unreachable_store.purge(0),
        ):
            with pytest.raises(StoreUnavailable):
                await act
