"""The simulated provider: a real HTTP server that speaks the shapes of OpenAI, Anthropic and Gemini.

It answers first runs, demonstrations, tests and benchmarks. Its answers say plainly that they are
simulated, are a function of model, prompt and seed alone, and can be made to fail in every way a real
provider fails (`faults`), on the socket itself where that is where it happens.
"""
