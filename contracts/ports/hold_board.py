"""What every HoldBoard promises, and what whoever finds it after a death is told."""

from collections.abc import Callable

import pytest

from application.ports.hold_board import AbandonedHolds, HoldBoard, HoldGroup, OpenHold
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

ONE = HoldGroup("hold_one", "hold_one", ("acc_one", "acc_two"), ("acc_soft",))
TWO = HoldGroup("hold_two", "pool_main", ("acc_one",), ())


class HoldBoardContract(PortContract):
    """Bind `board`, with room for eight holds, and `die`: what is found after its owner's sudden death."""

    @pytest.fixture
    def board(self) -> HoldBoard:
        raise NotImplementedError

    @pytest.fixture
    def die(self) -> Callable[[], AbandonedHolds]:
        raise NotImplementedError

    def test_an_open_hold_is_found(self, board: HoldBoard, die: Callable[[], AbandonedHolds]) -> None:
        board.announce("hold_one")
        board.put("req_1.1", 2**62, ONE)

        found = die()

        assert found.holders == ("hold_one",)
        assert list(found.holds) == [OpenHold("req_1.1", 2**62, ONE)]
        assert not found.damaged

    def test_what_was_cleared_is_not_found(self, board: HoldBoard, die: Callable[[], AbandonedHolds]) -> None:
        board.announce("hold_one")
        first = board.put("req_1.1", 1, ONE)
        board.put("req_1.2", 2, ONE)
        board.clear(first)
        board.put("req_1.3", 3, ONE)

        assert {hold.attempt_id for hold in die().holds} == {"req_1.2", "req_1.3"}

    def test_holds_keep_their_groups(self, board: HoldBoard, die: Callable[[], AbandonedHolds]) -> None:
        board.announce("hold_one")
        board.announce("hold_two")
        board.put("req_1.1", 1, ONE)
        board.put("req_2.1", 2, TWO)
        board.put("req_3.1", 3, HoldGroup(*ONE))

        found = die()

        assert {hold.attempt_id: hold.group for hold in found.holds} == {
            "req_1.1": ONE,
            "req_2.1": TWO,
            "req_3.1": ONE,
        }
        assert sorted(found.holders) == ["hold_one", "hold_two"]

    def test_clearing_twice_frees_one_place(
        self, board: HoldBoard, die: Callable[[], AbandonedHolds]
    ) -> None:
        board.announce("hold_one")
        place = board.put("req_1.1", 1, ONE)
        board.clear(place)
        board.clear(place)
        board.put("req_2.1", 1, ONE)
        board.put("req_3.1", 1, ONE)

        assert {hold.attempt_id for hold in die().holds} == {"req_2.1", "req_3.1"}

    def test_a_retired_holder_is_not_found(self, board: HoldBoard, die: Callable[[], AbandonedHolds]) -> None:
        board.announce("hold_one")
        board.announce("hold_two")
        board.retire("hold_one")

        assert die().holders == ("hold_two",)

    def test_without_a_place_nothing_may_be_sent(
        self, board: HoldBoard, die: Callable[[], AbandonedHolds]
    ) -> None:
        board.announce("hold_one")
        places = [board.put(f"req_{number}.1", 1, ONE) for number in range(8)]

        with pytest.raises(StoreUnavailable):
            board.put("req_9.1", 1, ONE)

        board.clear(places[3])
        board.put("req_10.1", 1, ONE)
        found = {hold.attempt_id for hold in die().holds}
        assert len(found) == 8
        assert found & {"req_3.1", "req_9.1", "req_10.1"} == {"req_10.1"}

    def test_ids_of_any_length_are_found_again(
        self, board: HoldBoard, die: Callable[[], AbandonedHolds]
    ) -> None:
        board.announce("hold_one")
        ids = {"r", "r" * 110, "r" * 111, "r" * 5000 + ".1", "r" * 5000 + ".2", "ünïcode 🧾" * 20}
        for attempt_id in ids:
            board.put(attempt_id, 1, ONE)

        assert {hold.attempt_id for hold in die().holds} == ids
