"""The wire contracts: how each words the one core. Its folder is all that a contract is.

| spec | contract | flow | edge/rest | services |
|---|---|---|---|---|
| 000, courier dispatch | courier, customer | delivery | orders, courier | dispatch.sequential |
| 001, rides | rides | ride | rides | rides, dispatch.broadcast, orders.chat |
| 002, food orders | food, socketio | food | orders, restaurants | dispatch.open_pool |
| 003, event feed | feed | all | feed, money | messaging, money |
| 004, driver orders | drivers | hail | drivers | dispatch.sequential |

Each ends in two tables (base.py), registry.py lists them, and CONTRIBUTING.md says how to add one.
"""
