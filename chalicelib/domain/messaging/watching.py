"""Watching: a dispatcher's connection is shown the board, of which nothing is kept for anybody.

It has no mailbox. It is in one room with all others who watch, and what is posted to it says what
the board is, and not what has happened: a frame that is lost is made up for by the next.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from chalicelib.domain.people import Actor, Role

BOARD_ROOM = "board"


class Watch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a connection is shown: what is in `zone` (None: in any). `asked` is the position from
    which on its client wants to hear, or NOW; None where it holds none."""

    zone: str | None = None
    asked: str | None = None


class Watcher(msgspec.Struct, frozen=True):
    """A connection that watches, as it is in its room.

    `shown` is the position of the tick as of which it was shown all that it may see; "" while that
    is to come. `answered` is the position that it was told what becomes of. It is left alone until
    `paused_until`, as it could not be posted to.
    """

    connection_id: str
    person_id: str
    contract: str
    role: Role | None
    restaurant_ids: tuple[str, ...] = ()
    watch: Watch = Watch()
    shown: str = ""
    answered: str = ""
    paused_until: datetime | None = None

    @property
    def owner(self) -> Actor:
        """Whose view it has."""
        return Actor(self.person_id, self.role, restaurant_ids=self.restaurant_ids)

    @property
    def is_answered_first(self) -> bool:
        """True while it is to be told what becomes of its position, and that alone: a socket of a
        zone has one frame a second."""
        asked = self.watch.asked
        return self.watch.zone is not None and asked is not None and asked != self.answered

    @property
    def is_new(self) -> bool:
        """True while it is to be shown all that it may see, and nothing is known to be wrong."""
        return not self.shown and self.paused_until is None
