"""Find a courier one after the other, all near by at once or from a pool, and write orders."""
