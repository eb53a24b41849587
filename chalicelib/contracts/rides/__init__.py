"""Contract of spec 001: riders and drivers."""
