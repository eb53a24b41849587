"""Contract of spec 003: the event feed, earnings and payments."""
