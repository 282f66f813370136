"""`guardrails` in the configuration: defaults, and what is refused before anything starts."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.guardrails.terms import Action, StreamMode
from domain.privacy.policy import Where
from entrypoints.config.guardrail_section import GuardrailSettings


def made(**section: Any) -> Any:
    return GuardrailSettings.model_validate(section).guardrail("name")


def test_each_kind_has_defaults_of_its_own() -> None:
    patterns = made(kind="patterns", deny=["x"])
    assert (patterns.action, patterns.where) == (Action.BLOCK, {Where.PROMPTS})
    assert patterns.stream is StreamMode.WINDOW
    injection = made(kind="Prompt_Injection")
    assert (injection.action, injection.where) == (Action.WARN, {Where.PROMPTS, Where.TOOL_RESULTS})
    schema = made(kind="json_schema", answer_schema={"type": "object"})
    assert schema.where == {Where.ANSWERS}
    assert schema.stream is StreamMode.HOLD
    assert made(kind="patterns", deny=["x"], action="redact").stream is StreamMode.HOLD
    assert made(kind="patterns", allow=["x"]).stream is StreamMode.HOLD


def test_what_a_guardrail_does_is_in_its_digest_and_its_secret_is_not() -> None:
    one, other = made(kind="patterns", deny=["x"]), made(kind="patterns", deny=["y"])
    assert one.digest != other.digest
    assert made(kind="patterns", deny=["x"], ignore_case=False).digest != one.digest
    hook = {"kind": "webhook", "url": "https://judge.example/"}
    assert made(**hook, secret="a").digest == made(**hook, secret="b").digest


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"kind": "patterns"}, "needs deny or allow"),
        ({"kind": "patterns", "deny": ["(a+)+"]}, "several ways"),
        ({"kind": "patterns", "allow": [".*a.*b"]}, "look at a character"),
        ({"kind": "patterns", "deny": ["a"], "url": "https://x"}, "takes no url"),
        ({"kind": "patterns", "deny": ["a"], "on_error": "allow"}, "does not fail"),
        ({"kind": "size"}, "chars_max or words_max"),
        ({"kind": "size", "chars_max": 9, "action": "redact"}, "cannot redact"),
        ({"kind": "secret_leak", "kinds": ["EMAIL_ADDRESS"]}, "no kind of secret"),
        ({"kind": "prompt_injection", "action": "redact"}, "cannot redact"),
        ({"kind": "prompt_injection", "action": "block", "stream": "window"}, "stream: hold"),
        ({"kind": "json_schema"}, "needs answer_schema"),
        ({"kind": "json_schema", "answer_schema": {"type": "object"}, "where": ["prompts"]}, "answers only"),
        ({"kind": "json_schema", "answer_schema": {"$ref": "https://x/y"}}, "nothing is fetched"),
        ({"kind": "json_schema", "answer_schema": {"a": [{"$ref": "file:///x"}]}}, "nothing is fetched"),
        ({"kind": "webhook"}, "needs url"),
        ({"kind": "webhook", "url": "http://judge.example/"}, "must be https"),
        ({"kind": "webhook", "url": "https://me:pw@judge.example/"}, "no user"),
        ({"kind": "unheard_of"}, "kind"),
    ],
)
def test_what_cannot_be_meant_is_refused(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        GuardrailSettings.model_validate(section)
