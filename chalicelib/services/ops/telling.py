"""Telling those who watch: at each tick everybody is posted what differs in what they may see."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from chalicelib.domain import events
from chalicelib.domain.events import draft_event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.positions import NOW
from chalicelib.domain.messaging.watching import BOARD_ROOM, Watcher
from chalicelib.domain.ops.board import LEFT_KNOWN_FOR, Board, select_board
from chalicelib.domain.ops.changes import BoardChanges, compare_boards, list_changes_since
from chalicelib.domain.ops.owners import OwnedRows
from chalicelib.domain.ops.ticks import TickState, find_oldest, find_told_since
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import Gone
from chalicelib.services.ports import Clock, ConnectionStore, FrameSender, RenderEvent, WatcherStore

log = logging.getLogger(__name__)

PAUSE = timedelta(seconds=15)  # of who could not be posted to; longer than a post takes
_SHOWN = ("snapshot",)

RemoveConnection = Callable[[str, str], None]
"""Removes a connection that is gone: its id, and its person's."""


class Tick(msgspec.Struct, frozen=True):
    """One tick: how far the ticks have got, the board that was read for it, and the one that was
    told by the tick before, where this process remembers. `is_beat`: everybody is told something.
    """

    state: TickState
    board: Board
    told: Board | None = None
    is_beat: bool = False

    @property
    def told_since(self) -> datetime | None:
        """From when on it may be new to everybody what happened; None where nobody can tell."""
        state = self.state
        since = find_told_since(state, state.make_position(state.told), self.board.at)
        return since if since and self.board.at - since <= LEFT_KNOWN_FOR else None


class _View(NamedTuple):
    """What some of those who watch have in common: what they may see, now and as it was told, and
    the frames that say so: a large board takes some time to render."""

    now: Board
    told: Board | None
    frames: dict[tuple[object, ...], Sequence[str]]


class _Views:
    """The views of a tick. Many watch the same: each is selected once."""

    def __init__(self, tick: Tick) -> None:
        self._tick = tick
        self._views: dict[tuple[object, ...], _View] = {}
        self._owned: dict[int, OwnedRows] = {}

    def find_view(self, watcher: Watcher) -> _View:
        """Find what somebody may see."""
        zone, owner = watcher.watch.zone, watcher.owner
        is_all = owner.role is Role.ADMIN
        key = (zone, *(() if is_all else (owner.role, owner.id, owner.restaurant_ids)))
        if key not in self._views:
            board, told = self._tick.board, self._tick.told
            self._views[key] = _View(
                self._select(board, zone, owner),
                self._select(told, zone, owner) if told else None,
                {},
            )
        return self._views[key]

    def _select(self, board: Board, zone: str | None, owner: Actor) -> Board:
        """Select what somebody may see of a board: of one for merchants, who may be many, its rows
        are put in order once."""
        if owner.role is Role.ADMIN:
            return select_board(board, zone, owner)
        owned = self._owned.get(id(board)) or OwnedRows(board)
        self._owned[id(board)] = owned
        return select_board(owned.narrow_board(owner), zone, owner)


class BoardTeller:
    """Tells those who watch."""

    def __init__(
        self,
        watchers: WatcherStore,
        connections: ConnectionStore,
        sender: FrameSender,
        render_event: RenderEvent,
        remove_connection: RemoveConnection,
        clock: Clock,
    ) -> None:
        self._watchers = watchers
        self._connections = connections
        self._sender = sender
        self._render_event = render_event
        self._remove_connection = remove_connection
        self._clock = clock

    def tell(self, tick: Tick, watchers: Iterable[Watcher], until: datetime) -> timedelta:
        """Tell everybody who is not paused; no post begins after `until`. Whoever has just come is
        told last, as it is most. Returns how long what was told is to last: one frame a second for
        whoever watches a zone, two for all.

        Whoever can't be told is paused, and shown all afterwards: nobody else waits for them.
        """
        views = _Views(tick)
        known: list[Watcher] = []
        new: list[Watcher] = []
        for one in watchers:
            if one.paused_until is None:
                (known if one.told else new).append(one)
        deltas = [(one, self._render_delta(tick, views, one)) for one in known]
        failed = self._post_side_by_side(deltas, until)
        first = [(one, self._render_first(tick, views, one)) for one in new]
        failed |= self._post_side_by_side(first, until)
        for one, _ in first:
            if one.connection_id not in failed:
                self._watchers.note_told(one, tick.state.position, None)
        return max((_compute_pace(one, frames) for one, frames in deltas), default=timedelta(0))

    def probe_paused(self, watchers: Iterable[Watcher], state: TickState, now: datetime) -> None:
        """Post a word to those whose pause is over, and have the next tick show all to whoever got
        it. To be called when the tick has ended: a post that hangs keeps nobody waiting then."""
        for one in watchers:
            if one.paused_until is None or one.paused_until > now:
                continue
            self._watchers.note_told(one, "", now + PAUSE)
            # Of where they are nothing is known: they are to be shown all.
            probe = f'{{"type":"pong","pos":"{state.make_position(0)}"}}'
            [failure] = self._sender.post_frames([(one.connection_id, probe)])
            if isinstance(failure, Gone):
                self._remove(one)
            elif failure is None:
                self._watchers.note_told(one, "", None)

    # What is told

    def _render_delta(self, tick: Tick, views: _Views, watcher: Watcher) -> Sequence[str]:
        """Render how what somebody sees differs from what all were told by the tick before."""
        view = views.find_view(watcher)
        if view.told is not None:
            changes = compare_boards(view.told, view.now)
        elif since := tick.told_since:
            changes = list_changes_since(view.now, since)
        else:
            return self._render_snapshot(tick, view, watcher)
        if changes.is_empty and not tick.is_beat:
            return ()
        before = tick.state.make_position(tick.state.told)
        return self._render_changes(tick, view, watcher, changes, before)

    def _render_first(self, tick: Tick, views: _Views, watcher: Watcher) -> Sequence[str]:
        """Render what somebody is told first: all that they see or, where they hold a position, how
        it differs."""
        view, state, asked = views.find_view(watcher), tick.state, watcher.watch.asked
        if asked is None:
            return self._render_snapshot(tick, view, watcher)
        to = state.position
        if asked == NOW:
            resumed = self._render(
                tick, watcher, events.BOARD_RESUMED, to, **{"from": to, "to": to}
            )
            return (*resumed, *self._render_snapshot(tick, view, watcher))
        since = find_told_since(state, asked, tick.board.at)
        if since is None:
            nowhere, oldest = state.make_position(0), find_oldest(state, tick.board.at)
            answer = {"from": asked, "oldest": oldest}
            gap = self._render(tick, watcher, events.BOARD_GAP, nowhere, **answer)
            return (*gap, *self._render_snapshot(tick, view, watcher))
        resumed = self._render(
            tick, watcher, events.BOARD_RESUMED, asked, **{"from": asked, "to": to}
        )
        changes = list_changes_since(view.now, since)
        return (*resumed, *self._render_changes(tick, view, watcher, changes, asked))

    def _render_snapshot(self, tick: Tick, view: _View, watcher: Watcher) -> Sequence[str]:
        # Who has some parts alone has nothing: their position is that of tick 0.
        nothing = tick.state.make_position(0)
        if _SHOWN not in view.frames:
            view.frames[_SHOWN] = self._render(
                tick, watcher, events.BOARD_SHOWN, nothing, board=view.now
            )
        return view.frames[_SHOWN]

    def _render_changes(
        self, tick: Tick, view: _View, watcher: Watcher, changes: BoardChanges, before: str
    ) -> Sequence[str]:
        key = (before, changes.resets_couriers)
        if key not in view.frames:
            data = {"board": view.now, "changes": changes}
            view.frames[key] = self._render(tick, watcher, events.BOARD_CHANGED, before, **data)
        return view.frames[key]

    def _render(
        self, tick: Tick, watcher: Watcher, type_: str, before: str, **data: object
    ) -> Sequence[str]:
        """Render what is told to somebody, who is at the position `before` until they have all."""
        listener = Subscriber(
            watcher.connection_id, watcher.person_id, watcher.contract, role=watcher.role
        )
        told = {"zone": watcher.watch.zone, **data}
        event = draft_event(type_, watcher.person_id, BOARD_ROOM, tick.board.at, data=told)
        is_answer = type_ in (events.BOARD_RESUMED, events.BOARD_GAP)
        after = before if is_answer else tick.state.position
        return self._render_event(listener, event, (before, after))

    # How

    def _post_side_by_side(
        self, told: Sequence[tuple[Watcher, Sequence[str]]], until: datetime
    ) -> set[str]:
        """Post each their frames one after another, all side by side. Returns the connections that
        did not get all of theirs."""
        left = [(one, list(frames)) for one, frames in told]
        failed: set[str] = set()
        while left := [(one, frames) for one, frames in left if frames]:
            if self._clock() > until:
                for one, _ in left:
                    self._give_up(one, failed)
                break
            posts = [(one.connection_id, frames.pop(0)) for one, frames in left]
            failures = self._sender.post_frames(posts)
            for (one, frames), failure in zip(left, failures, strict=True):
                if failure is None:
                    continue
                frames.clear()
                if isinstance(failure, Gone):
                    failed.add(one.connection_id)
                    self._remove(one)
                else:
                    log.warning("a dispatcher was not told: %s", type(failure).__name__)
                    self._give_up(one, failed)
        return failed

    def _give_up(self, watcher: Watcher, failed: set[str]) -> None:
        failed.add(watcher.connection_id)
        self._watchers.note_told(watcher, "", self._clock() + PAUSE)

    def _remove(self, watcher: Watcher) -> None:
        """Remove a connection that is gone, from its room in any case: its row may be lost."""
        self._remove_connection(watcher.connection_id, watcher.person_id)
        self._connections.remove_from_room(BOARD_ROOM, watcher.connection_id)


def _compute_pace(watcher: Watcher, frames: Sequence[str]) -> timedelta:
    return timedelta(seconds=len(frames) / (2 if watcher.watch.zone is None else 1))
