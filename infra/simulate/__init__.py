"""A city of orders and couriers on a virtual clock, by which dispatch is judged.

The domain and the services are the application's own, in its own wiring; tables, queue and gateway
are objects in memory behind the same ports. docs/dispatch.md says what is simulated and what is
assumed.
"""
