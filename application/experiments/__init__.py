"""A/B tests of routes: which arm answers a request, and how experiments are kept."""
