"""Dispatch: finding a courier for an order, and writing orders.

`sequential` offers an order to one courier after the other, `broadcast` opens it to all near by,
`open_pool` to whoever looks at the list. All of them write by `order_commits`; nobody else does.
"""
