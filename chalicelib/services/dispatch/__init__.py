"""Dispatch: finding a courier for an order, and writing orders.

`sequential` offers an order to one courier after the other, or to waves of several: `attempts` has
what one search tries, `candidates` whom, `stacks` what it costs couriers who have orders already.
`batches` matches the orders of a zone at once, `broadcast` opens an order to all near by,
`open_pool` to whoever looks at the list. All of them write by `order_commits`; nobody else does.
"""
