"""Telling those who watch: at each tick each is posted how what they may see differs."""

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
from chalicelib.domain.ops.ticks import TickState, find_oldest, find_unseen_since
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import Gone
from chalicelib.services.ports import Clock, ConnectionStore, FrameSender, RenderEvent, WatcherStore

log = logging.getLogger(__name__)

PAUSE = timedelta(seconds=15)  # of who could not be posted to; longer than a post takes
_SHOWN = ("snapshot",)

RemoveConnection = Callable[[str, str], None]
"""Removes a connection that is gone: its id, and its person's."""


class Tick(msgspec.Struct, frozen=True):
    """One tick: how far the ticks have got, the board that was read for it, and the `previous` one,
    of the tick before, where this process remembers it. `is_beat`: everybody is told something.
    """

    state: TickState
    board: Board
    previous: Board | None = None
    is_beat: bool = False

    @property
    def unseen_since(self) -> datetime | None:
        """The time from which on what happened may be new to those who watch; None where that can't
        be said."""
        state = self.state
        since = find_unseen_since(state, state.make_position(state.last_told), self.board.at)
        return since if since and self.board.at - since <= LEFT_KNOWN_FOR else None


class _View(NamedTuple):
    """What watchers with the same rights see of a tick's board and of the `previous` one, and the
    frames of that: a large board takes some time to render."""

    current: Board
    previous: Board | None
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
            board, previous = self._tick.board, self._tick.previous
            self._views[key] = _View(
                self._select(board, zone, owner),
                self._select(previous, zone, owner) if previous else None,
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
        """Tell everybody who is not paused; no post begins after `until`. Those who have just come
        are told last, as theirs is the most. Returns how soon the next tick may come, so that
        nobody gets more than one frame a second of a zone, or two of all.

        A watcher who can't be posted to is paused, and shown all afterwards: nobody else waits.
        """
        views = _Views(tick)
        known: list[Watcher] = []
        new: list[Watcher] = []
        for one in watchers:
            if one.paused_until is None:
                (known if one.shown else new).append(one)
        deltas = [(one, self._render_delta(tick, views, one)) for one in known]
        failed = self._post_side_by_side(deltas, until)
        first = [(one, self._render_first(tick, views, one)) for one in new]
        failed |= self._post_side_by_side(first, until)
        for one, _ in first:
            if one.connection_id in failed:
                continue
            if one.is_answered_first:
                self._watchers.note_answered(one)
            else:
                self._watchers.note_shown(one, tick.state.position, None)
        return max((_compute_pace(one, frames) for one, frames in deltas), default=timedelta(0))

    def probe_paused(self, watchers: Iterable[Watcher], state: TickState, now: datetime) -> None:
        """Post a frame that says nothing to those whose pause is over, and have the next tick show
        all to those who got it. To be called when the tick has ended: a post that hangs keeps
        nobody waiting then."""
        for one in watchers:
            if one.paused_until is None or one.paused_until > now:
                continue
            self._watchers.note_shown(one, "", now + PAUSE)
            # Of where they are nothing is known: they are to be shown all.
            probe = f'{{"type":"pong","pos":"{state.make_position(0)}"}}'
            [failure] = self._sender.post_frames([(one.connection_id, probe)])
            if isinstance(failure, Gone):
                self._remove(one)
            elif failure is None:
                self._watchers.note_shown(one, "", None)

    # What is told

    def _render_delta(self, tick: Tick, views: _Views, watcher: Watcher) -> Sequence[str]:
        """Render how what a watcher sees differs from what the tick before has told all."""
        view = views.find_view(watcher)
        if view.previous is not None:
            changes = compare_boards(view.previous, view.current)
        elif since := tick.unseen_since:
            changes = list_changes_since(view.current, since)
        else:
            return self._render_snapshot(tick, view, watcher)
        if changes.is_empty and not tick.is_beat:
            return ()
        before = tick.state.make_position(tick.state.last_told)
        return self._render_changes(tick, view, watcher, changes, before)

    def _render_first(self, tick: Tick, views: _Views, watcher: Watcher) -> Sequence[str]:
        """Render what a watcher is told first: all that they see or, where they hold a position,
        what becomes of that, and how the board differs from it."""
        answer = (
            self._render_answer(tick, watcher) if watcher.answered != watcher.watch.asked else ()
        )
        if watcher.is_answered_first:
            return answer
        view, asked = views.find_view(watcher), watcher.watch.asked
        since = find_unseen_since(tick.state, asked, tick.board.at) if asked else None
        if asked is None or since is None:
            return (*answer, *self._render_snapshot(tick, view, watcher))
        changes = list_changes_since(view.current, since)
        return (*answer, *self._render_changes(tick, view, watcher, changes, asked))

    def _render_answer(self, tick: Tick, watcher: Watcher) -> Sequence[str]:
        """Render whether all that came after a watcher's position can still be told; nothing, where
        it holds none."""
        state, asked = tick.state, watcher.watch.asked
        if asked is None:
            return ()
        to = state.position
        if asked == NOW:
            answer = {"from": to, "to": to}
            return self._render(tick, watcher, events.BOARD_RESUMED, to, **answer)
        if find_unseen_since(state, asked, tick.board.at) is None:
            nowhere, oldest = state.make_position(0), find_oldest(state, tick.board.at)
            answer = {"from": asked, "oldest": oldest}
            return self._render(tick, watcher, events.BOARD_GAP, nowhere, **answer)
        answer = {"from": asked, "to": to}
        return self._render(tick, watcher, events.BOARD_RESUMED, asked, **answer)

    def _render_snapshot(self, tick: Tick, view: _View, watcher: Watcher) -> Sequence[str]:
        # A watcher who got some of its parts alone has nothing: their position is that of tick 0.
        nothing = tick.state.make_position(0)
        if _SHOWN not in view.frames:
            view.frames[_SHOWN] = self._render(
                tick, watcher, events.BOARD_SHOWN, nothing, board=view.current
            )
        return view.frames[_SHOWN]

    def _render_changes(
        self, tick: Tick, view: _View, watcher: Watcher, changes: BoardChanges, before: str
    ) -> Sequence[str]:
        key = (before, changes.resets_couriers)
        if key not in view.frames:
            data = {"board": view.current, "changes": changes}
            view.frames[key] = self._render(tick, watcher, events.BOARD_CHANGED, before, **data)
        return view.frames[key]

    def _render(
        self, tick: Tick, watcher: Watcher, type_: str, before: str, **data: object
    ) -> Sequence[str]:
        """Render an event for a watcher, who is at the position `before` until they have all its
        frames."""
        listener = Subscriber(
            watcher.connection_id, watcher.person_id, watcher.contract, role=watcher.role
        )
        of_zone = {"zone": watcher.watch.zone, **data}
        event = draft_event(type_, watcher.person_id, BOARD_ROOM, tick.board.at, data=of_zone)
        is_answer = type_ in (events.BOARD_RESUMED, events.BOARD_GAP)
        after = before if is_answer else tick.state.position
        return self._render_event(listener, event, (before, after))

    # How

    def _post_side_by_side(
        self, frames_each: Sequence[tuple[Watcher, Sequence[str]]], until: datetime
    ) -> set[str]:
        """Post each their frames one after another, all side by side. Returns the connections that
        did not get all of theirs."""
        left = [(one, list(frames)) for one, frames in frames_each]
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
        self._watchers.note_shown(watcher, "", self._clock() + PAUSE)

    def _remove(self, watcher: Watcher) -> None:
        """Remove a connection that is gone, from its room in any case: its row may be lost."""
        self._remove_connection(watcher.connection_id, watcher.person_id)
        self._connections.remove_from_room(BOARD_ROOM, watcher.connection_id)


def _compute_pace(watcher: Watcher, frames: Sequence[str]) -> timedelta:
    return timedelta(seconds=len(frames) / (2 if watcher.watch.zone is None else 1))
