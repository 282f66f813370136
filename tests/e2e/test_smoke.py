"""The whole path once, so that a broken wiring shows before anything else."""

from pathlib import Path

from tests.e2e.stack import Stack


def test_a_first_start_answers_from_the_simulated_provider(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack, stack.client() as client:
        body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        assert "simulated" in answer.json()["choices"][0]["message"]["content"]
        assert answer.headers["x-interchange-simulated"] == "true"
        assert answer.headers["x-interchange-via"] == "direct"
