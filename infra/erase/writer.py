"""Write rows while the application writes them too; or, in a dry run, only count them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chalicelib.errors import Stale
from chalicelib.store.tables import CourierRow, MailboxRow, PersonRow

_TRIES = 6
_PAUSE_S = 3.0  # a mailbox is served for seconds


class Busy(Exception):
    """Another writer was quicker each time: what is left is for another run."""


class RowWriter:
    """The writer of one run; each method returns how many rows it wrote, or would have written."""

    def __init__(self, sleep: Callable[[float], object], *, dry: bool) -> None:
        self.dry = dry
        self._sleep = sleep

    def write_row(self, write: Callable[[], object]) -> int:
        """Write one row."""
        if not self.dry:
            write()
        return 1

    def change_row(self, change: Callable[..., None], *arguments: object) -> int:
        """Change one row that `change` reads first. Raises Busy.

        `change` raises Stale where the row was written since it was read: then it is called again.
        """
        for _ in range(1 if self.dry else _TRIES):
            try:
                return self.write_row(partial(change, *arguments))
            except Stale:
                self._sleep(_PAUSE_S)
        raise Busy("Somebody else wrote each time: run it again, it goes on where it was.")

    def delete_row(self, row: PersonRow | MailboxRow | CourierRow | None) -> int:
        """Delete one row, if there is one."""
        return self.write_row(row.delete) if row is not None else 0
