"""The calling routes with a small body for each that is fine."""

from typing import Any

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
COMPLETE = "/api/v1/llm/complete"
EXPLAIN = "/api/v1/routing/explain"
KEYS = "/api/v1/keys"
HELLO = [{"role": "user", "content": "hello"}]
GOOD: dict[str, dict[str, Any]] = {
    CHAT: {"model": "alpha/small", "messages": HELLO},
    COMPLETIONS: {"model": "alpha/small", "prompt": "hello"},
    EMBEDDINGS: {"model": "alpha/embed", "input": "hello"},
    MESSAGES: {"model": "beta/small", "max_tokens": 50, "messages": HELLO},
    COUNT: {"model": "beta/small", "messages": HELLO},
    COMPLETE: {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"prompt": "hello"},
        "context": {"agent_id": "a", "tenant_id": "default"},
    },
    EXPLAIN: {"model": "alpha/small"},
    KEYS: {"tenant_id": "default", "name": "n", "role": "agent"},
}
LLM = [CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, COUNT, COMPLETE]
