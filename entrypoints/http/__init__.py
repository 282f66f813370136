"""The HTTP face: raw ASGI endpoints for the hot routes, Starlette for everything else.

A route reads its caller's shape, calls one use case, and writes the answer; it decides nothing.
"""
