"""A change set of CloudFormation's, from its making to the end of what it sets going.

Everything that CloudFormation says may be old: DescribeStacks is eventually consistent, so a look
just after ExecuteChangeSet may show the end of the change before, and a change set just made may
not be there yet. An end counts only if it is this change set's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from infra.deploy.errors import DeployError, code_of
from infra.deploy.states import SUCCEEDED

WITHIN_S = 1800.0  # a new distribution takes minutes
FRESH_S = 60.0  # for so long what was just made may be missing, and what is over look as before

_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"}
_BUSY |= {"InternalFailure"}
_BEGUN = {"InvalidChangeSetStatus", "InvalidChangeSetStatusException"}
_MISSING = {"ChangeSetNotFound", "ChangeSetNotFoundException"}
_OVER = {"EXECUTE_COMPLETE": True, "EXECUTE_FAILED": False}

Description = dict[str, Any]


@dataclass(frozen=True)
class PollingPace:
    """The seconds between two looks, and the clock."""

    poll_s: float = 3.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def await_news(
        self, look: Callable[[], Description | None], within_s: float = WITHIN_S
    ) -> Description | None:
        """Look again and again; return what is found, or None when there is nothing in time."""
        give_up_at = self.now() + within_s
        while (found := _look_despite_trouble(look)) is None and self.now() < give_up_at:
            self.sleep(self.poll_s)
        return found


@dataclass(frozen=True)
class ChangeSet:
    """One change set of one stack. `makes_stack`: the stack was made with it, and for it."""

    formation: Any
    pace: PollingPace
    id: str
    stack_id: str
    makes_stack: bool

    @classmethod
    def create(
        cls, formation: Any, pace: PollingPace, *, makes_stack: bool, **arguments: Any
    ) -> ChangeSet:
        """Have one made; `arguments` are CreateChangeSet's. Raises what botocore raises."""
        made = formation.create_change_set(
            ChangeSetName=f"deploy-{time.time_ns()}",
            ChangeSetType="CREATE" if makes_stack else "UPDATE",
            **arguments,
        )
        return cls(formation, pace, made["Id"], made["StackId"], makes_stack)

    def await_created(self) -> Description:
        """Wait until its `Status` is no longer a pending one. Raises DeployError."""
        began = self.pace.now()

        def look_once() -> Description | None:
            try:
                seen: Description = self.formation.describe_change_set(ChangeSetName=self.id)
            except ClientError as error:
                if code_of(error) not in _MISSING or self.pace.now() - began > FRESH_S:
                    raise
                return None
            return None if seen["Status"].endswith(("_IN_PROGRESS", "_PENDING")) else seen

        if found := self.pace.await_news(look_once):
            return found
        raise DeployError(f"The change set {self.id} is not made after {WITHIN_S:.0f} s.")

    def execute(self) -> Description:
        """Execute it and wait for the stack's end that it brings about; return that stack.

        Raises DeployError when there is no end in time, and what botocore raises.
        """
        try:
            self.formation.execute_change_set(ChangeSetName=self.id)
        except ClientError as error:
            # A request that got no answer is sent again, and then it is executed already.
            if code_of(error) not in _BEGUN or not self._execution_status().startswith("EXECUTE_"):
                raise
        if found := self.pace.await_news(_OwnEnd(self)):
            return found
        raise DeployError(
            f"There is no end of {self.id} after {WITHIN_S:.0f} s; it may still come."
        )

    def delete(self, *, stack_too: bool) -> None:
        """Delete it; with the empty stack, where this one was the first made for it."""
        self.formation.delete_change_set(ChangeSetName=self.id)
        if stack_too:
            self.formation.delete_stack(StackName=self.stack_id)

    def find_result(self) -> bool | None:
        """Return whether the change set succeeded, by its own status.

        None while there is no end, or nothing is known of it.
        """
        return _OVER.get(self._execution_status())

    def _execution_status(self) -> str:
        try:
            seen = self.formation.describe_change_set(ChangeSetName=self.id)
        except ClientError as error:
            if code_of(error) not in _MISSING:
                raise
            return ""
        return str(seen.get("ExecutionStatus", ""))


class _OwnEnd:
    """A look for the end that a change set brought about, and nobody else's."""

    def __init__(self, change: ChangeSet) -> None:
        self._change = change
        self._over_at: float | None = None

    def __call__(self) -> Description | None:
        change = self._change
        stack: Description = change.formation.describe_stacks(StackName=change.stack_id)["Stacks"][
            0
        ]
        if stack["StackStatus"].endswith("_IN_PROGRESS"):
            return None
        # A stack that was made for this change set has never had another end.
        if change.makes_stack or stack.get("ChangeSetId") == change.id:
            return stack
        return stack if self._is_over(stack) else None

    def _is_over(self, stack: Mapping[str, Any]) -> bool:
        """Tell whether the change set itself says so: a stack may name none, or an older one."""
        if self._change.find_result() is not (stack["StackStatus"] in SUCCEEDED):
            return False
        if "ChangeSetId" not in stack:
            return True
        # It succeeded or failed as the stack says, but the stack still names another change set:
        # an old look, whose outputs may be old too. Or somebody else was quicker than this look.
        now = self._change.pace.now()
        self._over_at = now if self._over_at is None else self._over_at
        return now - self._over_at >= FRESH_S


def _look_despite_trouble(look: Callable[[], Description | None]) -> Description | None:
    """Look once. A busy service or a broken connection is no news: the change goes on anyhow."""
    try:
        return look()
    except (ConnectionError, HTTPClientError):
        return None
    except ClientError as error:
        if code_of(error) in _BUSY:
            return None
        raise
