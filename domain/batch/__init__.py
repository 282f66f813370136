"""Many requests in one file: what a batch may be, may spend, and owes after a crash."""
