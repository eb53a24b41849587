"""How long a frame takes: `python -m infra.bench`."""
