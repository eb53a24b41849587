"""Rides: requesting one, showing how it stands, and metering its trip."""
