"""What another way of choosing would have brought, from decisions that were drawn and recorded. Pure.

A decision that was drawn with a known chance stands for those that were not made: weighed by the chance the
other policy gives it over the chance it had, recorded outcomes estimate that policy's (`estimators`). What
was never tried tells nothing, and so there are rules when nothing is concluded (`judging`).
"""
