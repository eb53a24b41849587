"""Our local gateway in a contest with others: `python -m benchmarks`.

It measures the emulator in infra/gateway, not the product; README.md has the rules and the figures.
"""
