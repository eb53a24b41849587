"""Rides: requesting one, metering its trip, and showing the way. `progress` shows every flow's."""
