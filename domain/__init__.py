"""The rules of Interchange, without I/O.

Everything here is synchronous and uses the standard library only. Time comes in as `now` (monotonic
seconds) or as an aware `datetime`; chance comes in as `draw` in [0, 1). Nothing here knows a vendor,
a status code of ours, a database or a framework.
"""
