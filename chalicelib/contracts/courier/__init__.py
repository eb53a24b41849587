"""Contract of spec 000: couriers and their customers."""
