"""What the clients know of the frames, written from docs/api/asyncapi.json."""
