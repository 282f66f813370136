"""What compares questions, and what an operator is told about it."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.system.clock import SystemClock
from application.caching.daily_spending import DailySpending
from entrypoints.questions_opening import Questions, open_questions
from entrypoints.settings import load_settings


async def opened(stack: AsyncExitStack, data_dir: Path, embedder: str) -> Questions:
    file = data_dir / "interchange.yaml"
    file.write_text(f"cache: {{embedder: {embedder}}}\n")
    settings = load_settings({"INTERCHANGE_DATA_DIR": str(data_dir)}, config_path=file).settings
    clock = SystemClock()
    return open_questions(stack, settings, clock, DailySpending(clock), "")


@pytest.mark.parametrize(("embedder", "told"), [("auto", 1), ("hashing", 0)])
async def test_hashed_words_in_place_of_a_model_are_told_unless_they_are_meant(
    tmp_path: Path, embedder: str, told: int
) -> None:
    async with AsyncExitStack() as stack:
        questions = await opened(stack, tmp_path, embedder)

        assert questions.embedder_id.startswith("hashing")
        assert len(questions.problems) == told
        assert all("hashed words are used instead" in problem for problem in questions.problems)
        assert all("run: " in problem for problem in questions.problems)
