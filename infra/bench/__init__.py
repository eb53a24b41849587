"""What Waybill takes, beside what it stands on: `python -m infra.bench`."""
