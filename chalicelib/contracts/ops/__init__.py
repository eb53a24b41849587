"""Contract `ops`: the dispatcher's board, for admins and merchants."""
