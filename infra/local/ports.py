"""Free ports of 127.0.0.1."""

from __future__ import annotations

import errno
import random
import socket

# Outgoing connections take their ports from above this range: none of them can be in the way.
_PORTS = range(15_000, 30_000)
_TRIES = 100


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether this process could listen on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def find_free_port() -> int:
    """Return a port that nobody listens on, and that no process is given by this before the one
    that has it ends. Raises OSError if there is none among a hundred."""
    for port in random.SystemRandom().sample(_PORTS, _TRIES):
        if _reserve_port(port) and is_port_free(port):
            return port
    raise OSError(errno.EADDRINUSE, f"There is no free port among {_TRIES}.")


def _reserve_port(port: int) -> bool:
    """Take a port for this process; False where another has taken it.

    Between the look and the listening of whoever is given the port, a second or more may pass, and
    others look, too. So the same number is bound for UDP, which nobody here speaks, until this
    process ends.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
        try:
            mark.bind(("127.0.0.1", port))
        except OSError:
            return False
        mark.detach()  # stays open: nothing closes it but the end of the process
        return True
