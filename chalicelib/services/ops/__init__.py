"""The dispatcher's room: reading what it shows, while somebody looks."""
