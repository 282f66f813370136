"""What is known of how each provider's models keep prompts."""

import pytest

from entrypoints.prompt_caches import prompt_cache_of, takes_cache_key


@pytest.mark.parametrize(
    ("kind", "model", "tokens_min"),
    [
        ("anthropic", "claude-opus-4-5-20251101", 4096),
        ("anthropic", "claude-opus-4.6", 4096),
        ("anthropic", "claude-opus-4-20250514", 1024),
        ("anthropic", "claude-haiku-4-5", 4096),
        ("anthropic", "claude-3-5-haiku-20241022", 2048),
        ("anthropic", "claude-3-haiku-20240307", 2048),
        ("anthropic", "claude-3-7-sonnet-latest", 1024),
        ("anthropic", "anything", 1024),
        ("vertex", "claude-haiku-4-5@20251001", 4096),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1024),
        ("bedrock", "amazon.nova-lite-v1:0", 1000),
    ],
)
def test_models_that_take_marks_and_from_which_length(kind: str, model: str, tokens_min: int) -> None:
    habit = prompt_cache_of(kind, kind, model)

    assert (habit.by_mark, habit.marks_max, habit.tokens_min) == (True, 4, tokens_min)


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("bedrock", "meta.llama3-70b-instruct-v1:0"),
        ("bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("bedrock", "amazon.nova-canvas-v1:0"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"),
        ("vertex", "gemini-2.5-pro"),
        ("openai", "gpt-5.1"),
        ("somebody", "claude-sonnet-4-5"),
    ],
)
def test_others_take_none(kind: str, model: str) -> None:
    assert prompt_cache_of(kind, kind, model).marks_max == 0


def test_bedrock_keeps_longer_only_for_newer_models() -> None:
    assert prompt_cache_of("aws", "bedrock", "anthropic.claude-opus-4-5-v1:0").keeps_long
    assert not prompt_cache_of("aws", "bedrock", "anthropic.claude-sonnet-4-20250514-v1:0").keeps_long
    assert not prompt_cache_of("aws", "bedrock", "amazon.nova-pro-v1:0").keeps_long


def test_a_key_goes_to_servers_known_to_take_it() -> None:
    azure = "https://r.openai.azure.com"
    assert takes_cache_key("openai", "https://api.openai.com/v1", {}, public=True)
    assert takes_cache_key("openai", "https://eu.api.openai.com/v1", {}, public=False)
    assert not takes_cache_key("openai", "https://proxy.example/v1", {}, public=False)
    assert takes_cache_key("azure", f"{azure}/openai/v1", {}, public=False)
    assert not takes_cache_key("azure", azure, {"api_version": "2024-10-21"}, public=False)
    assert not takes_cache_key("azure", f"{azure}/openai?api-version=2024-10-21", {}, public=False)
    assert not takes_cache_key("azure", "https://r.services.ai.azure.com/models", {}, public=False)
    assert not takes_cache_key("groq", "https://api.groq.com/openai/v1", {}, public=True)
