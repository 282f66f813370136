"""Many requests in one file: what a batch may be, how it goes on, what it may spend, what it owes after a crash."""
