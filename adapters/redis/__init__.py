"""Redis, one server or a Cluster. Everything in it is a projection that can be lost and made again.

`connection` is the one client that every Redis adapter of a process shares: it bounds every call, reconnects
by itself, follows a Cluster's failovers, and says how Redis is doing. Keys begin with `ic:`; what has to
change together has one hash tag. Nothing here may assume that Redis kept what it acknowledged.
"""
