"""Rides: requesting one, metering a trip, and what is shown of the way."""
