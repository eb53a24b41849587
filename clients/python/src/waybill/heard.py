"""What a client has heard: which frames are told again, and where the next socket begins."""

from __future__ import annotations

from waybill.events import Event, Gap

REMEMBERED = 1000  # events that were handed on
NOW = "now"
ANSWERS = {"error", "refreshed"}  # on the board's socket with a position, too


class Heard:
    """The frames of all sockets of one connection, in order.

    `newest` is the position of the newest event.
    """

    def __init__(self) -> None:
        self.newest: str | None = None
        self._before: str | None = None
        self._seen: dict[str, None] = {}
        self._gap: Gap | None = None
        self._given: str | None = None  # by the application: no server has said anything of it
        self._malformed: str | None = None

    @property
    def start(self) -> str | None:
        """The position after which the next socket begins."""
        return self._before or self.newest

    def take(self, position: str | None) -> None:
        """Take the position that the application gives."""
        self.newest = self._given = position

    @property
    def doubted(self) -> str | None:
        """The position that the application gave, where no server has taken it so far."""
        return None if self._given == NOW else self._given

    def give_up(self) -> None:
        """Go on from now: what the application gave is no position."""
        self._malformed, self._given, self.newest = self._given, None, NOW

    def note_frame(self, position: str | None) -> None:
        """Note that a frame has come, before anything else is done with it.

        An event may be several frames at one position: only what comes next shows that all came.
        """
        if position != self.newest:
            self._before = self.newest

    def note_event(self, position: str | None) -> None:
        """Note that an event is on its way to the application: what is cut before comes again."""
        self.newest = position or self.newest

    def begin(self, position: str) -> list[Gap | str]:
        """Take the position that the server begins at, where there was none; return what the
        application is to be told: the gap, where what it gave was malformed, and the position."""
        self._given = None
        if self.newest not in (None, NOW):
            return []
        self.newest = position
        gaps = [Gap(self._malformed, position)] if self._malformed else []
        self._malformed = None
        return [*gaps, position]

    def is_new_gap(self, gap: Gap) -> bool:
        """Say whether a gap says anything new: the same one is told until an event comes after."""
        is_new, self._gap, self._given = gap != self._gap, gap, None
        return is_new

    def is_repeated(self, event: Event, text: str | bytes) -> bool:
        """Say whether an event was heard before: by its id or, where it has none, word for word.

        What has neither id nor position never was, nor was an answer, as an error is. Of a position
        the first part says where the event stands; the others say more the next time. An id names a
        place, which a log that was lost and made anew gives once more: with the log's epoch it is
        one event's.
        """
        place = (event.pos or "").partition("~")[0]
        if "event_type" in event:
            id_ = f"{event['event_id']}@{place.partition('.')[0]}"
        else:
            id_ = place and str(text).replace(event.pos or "", place)
        if not id_ or event.type in ANSWERS:
            return False
        if id_ in self._seen:
            return True
        self._seen[id_] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False
