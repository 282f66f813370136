"""Peers that misbehave on purpose: a scripted HTTP server and a TCP fault proxy, on loopback only."""
