"""AWS's side of the edge: @connections, its signatures, the queue."""
