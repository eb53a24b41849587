"""What each contract's server says."""

FEED_EVENTS: tuple[str, ...] = ("bonus_earned",)
