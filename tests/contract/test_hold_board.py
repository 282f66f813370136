"""Binds the boards of open holds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.disk.board_format import machine_start, read_board
from adapters.disk.hold_board import DiskHoldBoard
from adapters.memory.hold_board import InMemoryHoldBoard
from application.ports.hold_board import AbandonedHolds, HoldBoard
from contracts.ports.hold_board import HoldBoardContract


class TestInMemoryHoldBoard(HoldBoardContract):
    @pytest.fixture
    def board(self) -> HoldBoard:
        return InMemoryHoldBoard(places_max=8)

    @pytest.fixture
    def die(self, board: InMemoryHoldBoard) -> Callable[[], AbandonedHolds]:
        return board.abandoned


class TestDiskHoldBoard(HoldBoardContract):
    @pytest.fixture
    def board(self, tmp_path: Path) -> HoldBoard:
        board = DiskHoldBoard(places_first=2, places_max=8)
        board.open(tmp_path)
        return board

    @pytest.fixture
    def die(self, tmp_path: Path) -> Callable[[], AbandonedHolds]:
        # What is in the files now is what a kill would leave: the mapping belongs to the kernel.
        def found() -> AbandonedHolds:
            board = read_board(tmp_path, started=machine_start())
            assert board is not None
            return board

        return found
