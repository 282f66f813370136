"""Use cases and the ports they wait for.

Awaits ports, decides nothing a policy could decide: an `if` about money, health, permission or
cacheability belongs to the domain, where it is tested without `await`.
"""
