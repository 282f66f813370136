"""Counting tokens works on every route: by the provider where it counts, estimated where it does not."""

from pathlib import Path

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

BODY = {"max_tokens": 10, "messages": [{"role": "user", "content": "How many tokens are these?"}]}


def test_the_providers_count_is_free_and_an_estimate_is_flagged(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack, stack.client() as client:
        counted = client.post("/v1/messages/count_tokens", json={"model": "sim-anthropic/small", **BODY})
        assert counted.status_code == 200
        assert counted.json()["input_tokens"] > 0
        assert "x-interchange-estimated" not in counted.headers
        assert counted.headers["x-interchange-cost-usd"] == "0"
        # A route of all families counts where somebody can count.
        assert client.post("/v1/messages/count_tokens", json={"model": "auto", **BODY}).status_code == 200
        estimated = client.post("/v1/messages/count_tokens", json={"model": "sim-openai/small", **BODY})
        assert estimated.status_code == 200
        assert estimated.json()["input_tokens"] > 0
        assert estimated.headers["x-interchange-estimated"] == "true"
        asked = estimated.headers["x-request-id"]
        assert eventually(lambda: client.get(f"/api/v1/requests/{asked}").status_code == 200)
        assert client.get(f"/api/v1/requests/{asked}").json()["status"] == 200
        unknown = client.post("/v1/messages/count_tokens", json={"model": "nobody/small", **BODY})
        assert unknown.status_code == 404
