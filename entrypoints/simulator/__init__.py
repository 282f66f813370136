"""The simulated provider: a real HTTP server that speaks the shapes of OpenAI, Anthropic and Gemini.

It answers first runs, demonstrations, tests and benchmarks. Its answers say plainly that they are
simulated, are a function of model, prompt and seed alone, and can be made to fail in every way a real
provider fails (`faults`), on the socket itself where that is where it happens.

A first path segment may name the provider, so one server serves several: `/alpha/v1/chat/completions`.
Control, as JSON under `/_sim` or as methods of `server.SimulatedProvider`:

    PUT    /_sim/faults    {"match": {"provider", "model", "path", "provider_key", "stream"},
                            "fault": {"kind": …, …}, "times": n, "for_s": seconds}
                           GET; DELETE all or {"provider"} or {"id"}
    PUT    /_sim/latency   {"match": …, "latency": {"ttft_ms", "per_token_ms", "sigma", "seed"}}; GET, DELETE
    PUT    /_sim/answers   {"match": …, "answer": {"text"} | {"tokens"}, "times": n}; GET, DELETE
    PUT    /_sim/prices    {"provider/model" | "model" | "*": {"input_usd_per_mtok", …}}
    PUT    /_sim/models    ["name", …]; GET
    GET    /_sim/bill      what was charged; DELETE starts anew, as for the next two
    GET    /_sim/stats     requests, answered, faults, in flight and its peak, callers who left
    GET    /_sim/requests  the last 200 requests, secrets replaced by fingerprints

Rules are tried newest first, and one request spends one use of one rule of each sort.
"""
