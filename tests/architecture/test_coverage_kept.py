"""What must be kept of coverage is asked of each room and of all."""

import json
from pathlib import Path

import pytest

from tests.coverage_kept import Reached, by_room, main, too_low


def slipcover(path: Path, **files: tuple[int, int]) -> Path:
    path.write_text(
        json.dumps(
            {
                "files": {
                    f"{room}/a.py": {
                        "executed_lines": list(range(reached)),
                        "missing_lines": list(range(reached, lines)),
                    }
                    for room, (lines, reached) in files.items()
                }
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ({"domain": (100, 95), "adapters": (100, 85)}, 0, ""),
        ({"domain": (100, 94), "adapters": (100, 100)}, 1, "domain: 94.00 %, and 95 % must be kept"),
        ({"domain": (100, 100), "adapters": (100, 79)}, 1, "all: 89.50 %, and 90 % must be kept"),
        ({"adapters": (100, 100)}, 1, "domain: 0.00 %"),
        ({}, 1, "all: 100.00 %"),
    ],
)
def test_too_little_fails(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, tuple[int, int]],
    status: int,
    said: str,
) -> None:
    assert main([str(slipcover(tmp_path / "found.json", **files))]) == status
    assert said in capsys.readouterr().err


def test_a_run_that_left_tests_out_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, note = slipcover(tmp_path / "found.json", domain=(100, 50)), tmp_path / "not-run"
    assert main([str(found), str(note)]) == 1
    note.write_text("7 of 90")
    assert main([str(found), str(note)]) == 0
    assert "NOT JUDGED: 7 of 90" in capsys.readouterr().out


def test_rooms_are_sums_of_their_files() -> None:
    rooms = by_room(
        {"domain/a.py": Reached(3, 3), "domain/b/c.py": Reached(1, 0), "adapters/d.py": Reached(4, 4)}
    )

    assert rooms == {"domain": Reached(4, 3), "adapters": Reached(4, 4), "": Reached(8, 7)}
    assert too_low(rooms) == ["domain: 75.00 %, and 95 % must be kept", "all: 87.50 %, and 90 % must be kept"]
