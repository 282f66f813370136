"""The pace of administration from outside: one credential is slowed down, others and model calls are not."""

from pathlib import Path

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key
from tests.e2e.three_wires import CONFIG

PACED = CONFIG + "limits: {admin_requests_per_minute: 20}\n"


def test_who_asks_too_often_waits_and_nobody_else_does(tmp_path: Path) -> None:
    document = Document()
    with Stack(tmp_path, PACED) as stack, stack.client() as http:
        other = new_key(http, role="admin")["key"]
        answers = [http.get("/api/v1/keys") for _ in range(40)]
        codes = [each.status_code for each in answers]
        assert codes.count(200) in range(19, 30)
        refused = answers[codes.index(429)]
        document.check(refused)
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-ratelimit-limit-requests"] == "20"
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"

        assert http.get("/v1/models").status_code == 200
        assert http.post("/api/v1/credentials", json={}).status_code == 429
        assert http.get("/health/live").status_code == 200
        body = {"model": "assistant", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        assert http.post("/v1/chat/completions", json=body).status_code == 200
        assert http.get("/api/v1/keys", headers={"authorization": f"Bearer {other}"}).status_code == 200
