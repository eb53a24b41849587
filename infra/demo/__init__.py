"""A small city at work: `python -m infra.demo`.

Couriers and customers on a local stack, a board that shows them, a ledger that checks the day.
"""
