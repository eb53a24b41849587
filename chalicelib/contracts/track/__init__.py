"""Contract `track`: an order, for whoever has a tracking link of it."""
