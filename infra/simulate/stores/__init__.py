"""Stores in memory, behind the ports of the services, with the rules of `chalicelib.store`.

They hold objects, not rows: nothing is packed, as that would take most of a run's time. What each
write would cost is put on the bill, by the rules of docs/cost.md.
"""
