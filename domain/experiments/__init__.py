"""A/B tests of routes: who gets which arm, and what may be concluded from what they got."""
