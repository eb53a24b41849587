"""`python -m infra.local`: all of Waybill on this machine, in one process and an engine's.

The engine (ministack or moto), the queue's poller, the schedule, options, secrets and tokens.
"""
