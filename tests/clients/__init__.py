"""Both clients, over one scripted bad network."""
