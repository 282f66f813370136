"""What kind of task a request is."""

import pytest

from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation
from domain.quality.tasks import TASKS, task_of


def asked(
    body: bytes = b"{}", needs: Capability = Capability.TEXT, operation: Operation = Operation.CHAT
) -> str:
    return task_of(LlmRequest(operation=operation, dialect="openai.chat", model="m", body=body, needs=needs))


@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_is_a_task_of_the_list(operation: Operation) -> None:
    assert asked(operation=operation) in TASKS


@pytest.mark.parametrize(
    ("needs", "task"),
    [
        (Capability.TEXT | Capability.STREAMING, "chat"),
        (Capability.STRUCTURED_OUTPUT, "extraction"),
        (Capability.VISION | Capability.STRUCTURED_OUTPUT, "vision"),
        (Capability.FUNCTION_CALLING | Capability.VISION, "tools"),
        (Capability.AUDIO_IN, "audio"),
    ],
)
def test_what_a_body_needs_says_what_it_is_for(needs: Capability, task: str) -> None:
    assert asked(needs=needs) == task


def test_code_near_the_end_makes_it_code() -> None:
    assert asked(b'{"content": "fix ```python\\nx=1```"}') == "code"


def test_code_far_back_in_a_conversation_does_not() -> None:
    assert asked(b"```" + b"x" * 5000) == "chat"
