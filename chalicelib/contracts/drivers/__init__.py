"""Contract of spec 004: driver orders."""
