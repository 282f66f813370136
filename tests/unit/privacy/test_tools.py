"""Texts of tools: all of what they are asked, and all of what they say."""

import msgspec

from adapters.wire.text_fields import DialectTexts
from application.guardrails.texts import Gathering
from application.ports.wire import TOOLS
from domain.privacy.policy import Where

JSON = "application/json"
EMAIL = "ann@example.com"
PARAMETERS = {"to": EMAIL, "rows": [{"id": "x", "name": EMAIL}], EMAIL: 1, "limit": 5, "model": EMAIL}


def test_every_text_of_the_parameters_is_an_argument_of_a_tool() -> None:
    gathering = Gathering()
    body = msgspec.json.encode({"parameters": PARAMETERS})

    assert DialectTexts().request(TOOLS, body, JSON, gathering) is body
    found = [seen for seen in gathering.texts if EMAIL in seen.text]
    assert len(found) == 4
    assert {seen.where for seen in gathering.texts} == {Where.TOOL_ARGUMENTS}


def test_every_text_of_a_result_is_a_result_of_a_tool() -> None:
    gathering = Gathering()
    body = msgspec.json.encode({"type": "thinking", "thinking": EMAIL, "data": [EMAIL], "signature": EMAIL})

    assert DialectTexts().answer(TOOLS, body, JSON, gathering) is body
    assert sum(EMAIL in seen.text for seen in gathering.texts) == 3
    assert {seen.where for seen in gathering.texts} == {Where.TOOL_RESULTS}
