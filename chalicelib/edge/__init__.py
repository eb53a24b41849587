"""Where the world comes in: tokens, sockets, REST. Parses, calls one thing, words the answer."""
