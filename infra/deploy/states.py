"""Say what a stack's status means for the next deployment, and the command that helps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
# A change set was made for a stack that is not there yet, and was never executed.
UNBORN = "REVIEW_IN_PROGRESS"

_CLI = "aws cloudformation"
_DELETE = (
    f"{_CLI} delete-stack --stack-name {{name}} && "
    f"{_CLI} wait stack-delete-complete --stack-name {{name}}"
)
_FORCE = f"{_CLI} delete-stack --stack-name {{name}} --deletion-mode FORCE_DELETE_STACK"
_EVENTS = f"{_CLI} describe-stack-events --stack-name {{name}}"
_AGAIN = "then make deploy again; tables that are there are taken over with their rows"

# Statuses in which CloudFormation refuses any change, each with the way out.
_STUCK = {
    "CREATE_FAILED": f"Its creation failed. Delete what there is of it, {_AGAIN}:\n  {_DELETE}",
    "ROLLBACK_COMPLETE": "Its creation failed and was undone; only the name is left. "
    f"Delete it, {_AGAIN}:\n  {_DELETE}",
    "ROLLBACK_FAILED": "Its creation failed, and so did undoing that. "
    f"Delete it, {_AGAIN}:\n  {_DELETE}\nIf that ends in DELETE_FAILED:\n  {_FORCE}",
    "DELETE_FAILED": "It could not be deleted. Let CloudFormation leave alone what it can't "
    f"delete, {_AGAIN}:\n  {_FORCE}",
    "UPDATE_FAILED": "An update failed and was left as it was. Go back, then make deploy again:\n"
    f"  {_CLI} rollback-stack --stack-name {{name}}",
    "UPDATE_ROLLBACK_FAILED": "An update failed, and so did going back. Mend what its events "
    "name, then let it go on; then make deploy again:\n"
    f"  {_EVENTS}\n  {_CLI} continue-update-rollback --stack-name {{name}}\n"
    "What can't be mended is left out by --resources-to-skip LogicalId.",
    "IMPORT_ROLLBACK_FAILED": "An import failed, and so did going back. Its events name what to "
    f"mend by another import:\n  {_EVENTS}",
}
# What is still going on, by the word that its status begins with, and what waits for its end.
_WAITERS = {
    "CREATE": "stack-create-complete",
    "UPDATE_ROLLBACK": "stack-rollback-complete",
    "UPDATE": "stack-update-complete",
    "ROLLBACK": "stack-delete-complete",
    "IMPORT": "stack-import-complete",
    "DELETE": "stack-delete-complete",
}
_QUEUE_NAMES = (
    "SQS keeps the name of a deleted queue for 60 s: wait a minute, then make deploy again."
)
# What a failed resource's reason tells about the next try.
_HINTS = {
    "60 seconds after deleting a queue": _QUEUE_NAMES,
    "already exists": "A name is taken by something that no stack has: delete it, or deploy "
    "another STAGE. (Tables are taken over, when make deploy is what deploys.)",
    "CloudWatch Logs role ARN must be set": "This Region's API Gateway has no role to log with: "
    'PARAMETERS="GatewayLogRole=create".',
}


def find_obstacle(name: str, status: str) -> str | None:
    """Say why a stack with this status can't be changed now, and the command that helps.

    None: it can be changed. `REVIEW_IN_PROGRESS` is no obstacle: the stack is made as a new one.
    """
    if status == UNBORN:
        return None
    if status == "DELETE_COMPLETE":  # only ever seen of a creation that failed
        return f"Nothing of {name} is left. {_QUEUE_NAMES}"
    if stuck := _STUCK.get(status):
        return f"{name} is {status}. {stuck.format(name=name)}"
    if not status.endswith("_IN_PROGRESS"):
        return None
    waiter = next(waits for begins, waits in _WAITERS.items() if status.startswith(begins))
    text = f"{name} is {status}: somebody else's change, or one that was not waited for. "
    text += f"Wait, then make deploy again:\n  {_CLI} wait {waiter} --stack-name {name}"
    if status == "UPDATE_IN_PROGRESS":
        text += f"\nTo stop it instead:\n  {_CLI} cancel-update-stack --stack-name {name}"
    return text


def find_hints(reasons: Iterable[str]) -> Iterator[str]:
    """Say what to do about the reasons for which resources failed, each thing once."""
    told = list(reasons)
    return (advice for words, advice in _HINTS.items() if any(words in reason for reason in told))
