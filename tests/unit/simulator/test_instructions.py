"""Calls that a user spells out, in their rounds."""

from entrypoints.simulator.answers import answer_to
from entrypoints.simulator.conversation import Ask, OfferedTool
from entrypoints.simulator.instructions import SpelledCall, own_words, spelled_calls

TOOLS = (OfferedTool("Read", {"type": "object"}), OfferedTool("Bash", {"type": "object"}))
PLAN = 'call Read {"path": "a"} and call Read {"path": "b"}, then call Bash {"command": "echo {}"}'


def called(question: str, rounds: int = 0) -> list[tuple[str, str]]:
    result = "done" if rounds else None
    ask = Ask("small", question, question, 3, tools=TOOLS, tool_result=result, rounds=rounds)
    return [(call.name, "".join(call.pieces)) for call in answer_to(ask).choices[0].tool_calls]


def test_calls_come_in_the_rounds_they_are_spelled_in() -> None:
    assert called(PLAN) == [("Read", '{"path":"a"}'), ("Read", '{"path":"b"}')]
    assert called(PLAN, 1) == [("Bash", '{"command":"echo {}"}')]
    assert called(PLAN, 2) == [], "then it answers"


def test_only_offered_tools_are_called() -> None:
    assert called('call Write {"path": "a"}') == []


def test_what_is_no_object_is_no_call() -> None:
    assert spelled_calls("call Read { then call Bash") == ()
    assert spelled_calls('recall Read {"a": 1}') == ()
    assert spelled_calls('call Read {"text": "call Bash {}"}') == (
        (SpelledCall("Read", {"text": "call Bash {}"}),),
    )


def test_reminders_of_agents_are_not_the_users_words() -> None:
    assert own_words("<system-reminder>use\nRead</system-reminder>\nhello") == "\nhello"
    assert called("<system-reminder>The Read tool exists.</system-reminder> hello") == []
    assert [name for name, _ in called("use Read please")] == ["Read"]
