"""A provider that knows which questions mean the same: `python -m benchmarks.cluster_provider CLUSTERS`.

Questions of one cluster get one answer, so whoever is answered from a cache can be told right or wrong. It
speaks OpenAI's chat completions, whole and streamed, bills tokens, and writes its address on one line.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

LATENCY_S = 0.15
WORDS = 40
_SYLLABLES = (
    "ba",
    "de",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "ri",
    "so",
    "tu",
    "va",
    "we",
    "zi",
    "gor",
    "han",
    "fel",
)


def read_clusters(path: Path) -> list[list[str]]:
    """Questions by meaning."""
    return [json.loads(line)["questions"] for line in path.read_text().splitlines()]


def answer_of(cluster: int, system: str) -> str:
    """Nothing like any other cluster's, and begins with the cluster's number."""
    chance = random.Random(f"{cluster}/{system}")
    words = ("".join(chance.choices(_SYLLABLES, k=chance.randrange(2, 4))) for _ in range(WORDS))
    return f"[{cluster}] " + " ".join(words) + "."


class ClusterProvider:
    """`asked` counts requests."""

    def __init__(self, clusters: Sequence[Sequence[str]]) -> None:
        self._meaning = {text: number for number, texts in enumerate(clusters) for text in texts}
        self.asked = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked += 1
        await asyncio.sleep(LATENCY_S)
        system, question = (message["content"] for message in body["messages"])
        text = answer_of(self._meaning[question], system)
        usage = {"prompt_tokens": (len(system) + len(question)) // 4, "completion_tokens": len(text) // 4}
        usage["total_tokens"] = sum(usage.values())
        about = {"id": f"chatcmpl-{self.asked}", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            choice = {
                "index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"
            }  # fmt: skip
            return web.json_response(
                {**about, "object": "chat.completion", "choices": [choice], "usage": usage}
            )
        chunk = {**about, "object": "chat.completion.chunk"}
        deltas = [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]
        ends = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        frames = [
            {**chunk, "choices": deltas}, {**chunk, "choices": ends}, {**chunk, "choices": [], "usage": usage}
        ]  # fmt: skip
        told = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
        return web.Response(body=told.encode(), content_type="text/event-stream")

    async def count(self, _request: web.Request) -> web.Response:
        return web.json_response({"asked": self.asked})


async def serve(clusters: Path) -> None:
    """Until it is ended."""
    provider = ClusterProvider(read_clusters(clusters))
    application = web.Application()
    application.router.add_post("/v1/chat/completions", provider.answer)
    application.router.add_get("/asked", provider.count)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clusters", type=Path)
    asyncio.run(serve(parser.parse_args().clusters))
