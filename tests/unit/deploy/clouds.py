"""AWS as deploying meets it: services in small that change state when time passes, answer late
looks with what was before, and refuse as AWS does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

ENDS = {"CREATE": "CREATE_COMPLETE", "UPDATE": "UPDATE_COMPLETE"}
WORKS_S = 9.0


def refused(code: str, message: str = "No.") -> ClientError:
    """An error as botocore raises it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds


@dataclass
class Standing:
    """A stack, as it is and as it was shown last."""

    name: str
    id: str
    status: str
    parameters: dict[str, str] = field(default_factory=dict)
    change_set: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    logical_ids: tuple[str, ...] = ()

    def described(self) -> dict[str, Any]:
        """As DescribeStacks has it."""
        return {
            "StackName": self.name,
            "StackId": self.id,
            "StackStatus": self.status,
            "Parameters": [
                {"ParameterKey": k, "ParameterValue": v} for k, v in self.parameters.items()
            ],
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()],
            **({"ChangeSetId": self.change_set} if self.change_set else {}),
        }


class CloudFormation:
    """One account's stacks.

    `old_looks`: how many looks at a stack, after a change set was executed, show it as it was.
    `ends_as`: how the next change ends. `names_change_sets`: whether a stack says which change set
    it comes from, also when that failed.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stacks: dict[str, Standing] = {}
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.old_looks = 0
        self.late_change_sets = 0
        self.trouble: list[Exception] = []
        self.ends_as: str | None = None
        self.names_change_sets = True
        self.is_empty = False
        self.meanwhile: Callable[[], None] = lambda: None  # right after an execution has begun
        self.repeats_requests = False  # as botocore does when an answer is lost
        self._shown: tuple[str, dict[str, Any]] | None = None
        self._running: tuple[Standing, str, float] | None = None

    # What AWS is asked

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        self.calls.append("describe_stacks")
        if self.trouble:
            raise self.trouble.pop(0)
        self._pass_time()
        for stack in self.stacks.values():
            if StackName in (stack.id, stack.name):
                if stack.status == "DELETE_COMPLETE" and StackName == stack.name:
                    continue
                if self._shown and self.old_looks > 0:
                    self.old_looks -= 1
                    return {"Stacks": [self._shown[1]]}
                return {"Stacks": [stack.described()]}
        raise refused("ValidationError", f"Stack with id {StackName} does not exist")

    def create_change_set(self, **given: Any) -> dict[str, Any]:
        self.calls.append("create_change_set")
        name = given["StackName"]
        stack = self.stacks.get(name)
        if given["ChangeSetType"] == "CREATE":
            if stack is None:
                stack = Standing(name, f"arn:stack/{name}/1", "REVIEW_IN_PROGRESS")
                self.stacks[name] = stack
        elif stack is None or not stack.status.endswith("_COMPLETE"):
            status = stack.status if stack else "gone"
            raise refused("ValidationError", f"{name} is in {status} state and can not be updated.")
        id_ = f"arn:changeSet/{given['ChangeSetName']}"
        self.change_sets[id_] = {
            **given,
            "ChangeSetId": id_,
            "Status": "FAILED" if self.is_empty else "CREATE_COMPLETE",
            "StatusReason": "The submitted information didn't contain changes.",
            "ExecutionStatus": "UNAVAILABLE" if self.is_empty else "AVAILABLE",
            "ready_at": self.clock.now() + 4,
        }
        return {"Id": id_, "StackId": stack.id}

    def describe_change_set(self, ChangeSetName: str) -> dict[str, Any]:
        self.calls.append("describe_change_set")
        self._pass_time()
        if ChangeSetName not in self.change_sets:
            raise refused("ChangeSetNotFound")
        if self.late_change_sets > 0:
            self.late_change_sets -= 1
            raise refused("ChangeSetNotFound")
        found = self.change_sets[ChangeSetName]
        if self.clock.now() < found["ready_at"]:
            return {**found, "Status": "CREATE_IN_PROGRESS", "ExecutionStatus": "UNAVAILABLE"}
        return found

    def execute_change_set(self, ChangeSetName: str, **_: Any) -> None:
        self.calls.append("execute_change_set")
        found = self.change_sets[ChangeSetName]
        if found["ExecutionStatus"] != "AVAILABLE":
            raise refused("InvalidChangeSetStatus", f"It is {found['ExecutionStatus']}.")
        stack = self.stacks[found["StackName"]]
        self._shown = (stack.id, stack.described())
        kind = found["ChangeSetType"]
        stack.status = f"{kind}_IN_PROGRESS"
        found["ExecutionStatus"] = "EXECUTE_IN_PROGRESS"
        if self.names_change_sets:
            stack.change_set = ChangeSetName
        self._running = (stack, ChangeSetName, self.clock.now() + WORKS_S)
        self.meanwhile()
        if self.repeats_requests:
            self.execute_change_set(ChangeSetName)

    def delete_change_set(self, ChangeSetName: str) -> None:
        self.calls.append("delete_change_set")
        del self.change_sets[ChangeSetName]

    def delete_stack(self, StackName: str) -> None:
        self.calls.append("delete_stack")
        self.stacks = {k: s for k, s in self.stacks.items() if StackName not in (s.id, s.name)}

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=getattr(self, f"_{operation}"))

    # What happens meanwhile

    def _list_stack_resources(self, StackName: str) -> Iterator[dict[str, Any]]:
        for name in self.stacks[StackName].logical_ids:
            yield {"StackResourceSummaries": [{"LogicalResourceId": name}]}

    def _describe_stack_events(self, StackName: str) -> Iterator[dict[str, Any]]:
        yield {"StackEvents": self.events}

    def _pass_time(self) -> None:
        if self._running and self.clock.now() >= self._running[2]:
            stack, id_, _ = self._running
            found = self.change_sets[id_]
            end = self.ends_as or ENDS[found["ChangeSetType"]]
            succeeded = end in ENDS.values()
            found["ExecutionStatus"] = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"
            stack.status = end
            if succeeded:
                stack.outputs = {"Host": f"host of {len(self.change_sets)}"}
                for given in found["Parameters"]:
                    if "ParameterValue" in given:
                        stack.parameters[given["ParameterKey"]] = given["ParameterValue"]
            self._running = None

    # What a test asks

    @property
    def last(self) -> dict[str, Any]:
        """The change set made last."""
        return list(self.change_sets.values())[-1]

    @property
    def last_given(self) -> dict[str, str]:
        """The parameters that it was given, by name; kept ones as `(kept)`."""
        return {
            p["ParameterKey"]: p.get("ParameterValue", "(kept)") for p in self.last["Parameters"]
        }


class SecretsManager:
    """Secrets by name. `being_deleted` have no name that is free."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.being_deleted: set[str] = set()

    def create_secret(self, Name: str, SecretString: str) -> dict[str, Any]:
        if Name in self.being_deleted:
            raise refused("InvalidRequestException", "already scheduled for deletion")
        if Name in self.texts:
            raise refused("ResourceExistsException")
        self.texts[Name] = SecretString
        return {"ARN": f"arn:secret:{Name}"}

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        gone = {"DeletedDate": "today"} if SecretId in self.being_deleted else {}
        return {"ARN": f"arn:secret:{SecretId}", **gone}

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:
        name = SecretId.removeprefix("arn:secret:")
        if name not in self.texts:
            raise refused("ResourceNotFoundException")
        return {"SecretString": self.texts[name]}


class Parameters:
    """SSM's parameters. `trouble` is raised by the next write."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.trouble: Exception | None = None

    def put_parameter(self, Name: str, Type: str, Value: str) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble:
            raise trouble
        if Name in self.values:
            raise refused("ParameterAlreadyExists")
        self.values[Name] = Value

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if Name not in self.values:
            raise refused("ParameterNotFound")
        return {"Parameter": {"Value": self.values[Name]}}


class Bucket:
    """S3, any bucket."""

    meta = SimpleNamespace(endpoint_url="https://s3.test")

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.meanwhile: Callable[[], None] = lambda: None

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.meanwhile()
        self.objects[Key] = Body


class Tables:
    """DynamoDB's tables, as they are described."""

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.trouble: Exception | None = None

    def describe_table(self, TableName: str) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        if TableName not in self.there:
            raise refused("ResourceNotFoundException")
        return {"Table": {"TableStatus": "ACTIVE", **self.there[TableName]}}


class Account:
    """What Lambda, API Gateway and Service Quotas say of the account, each by its own client."""

    def __init__(self) -> None:
        self.concurrency = 1000
        self.role: str | None = None
        self.rate, self.burst = 10_000.0, 5000
        self.connections = 500.0
        self.is_default = False
        self.denied: set[str] = set()

    def get_account_settings(self) -> dict[str, Any]:
        self._may("lambda")
        limit = self.concurrency
        return {
            "AccountLimit": {
                "ConcurrentExecutions": limit,
                "UnreservedConcurrentExecutions": limit,
            }
        }

    def get_account(self) -> dict[str, Any]:
        self._may("apigateway")
        role = {"cloudwatchRoleArn": self.role} if self.role else {}
        return {"throttleSettings": {"rateLimit": self.rate, "burstLimit": self.burst}, **role}

    def get_service_quota(self, **which: str) -> dict[str, Any]:
        self._may("service-quotas")
        if self.is_default:
            raise refused("NoSuchResourceException")
        return {"Quota": {"Value": self.connections}}

    def get_aws_default_service_quota(self, **which: str) -> dict[str, Any]:
        return {"Quota": {"Value": self.connections}}

    def _may(self, service: str) -> None:
        if service in self.denied:
            raise refused("AccessDeniedException")


class Cloud:
    """All of it; callable, as deploying takes its clients."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.formation = CloudFormation(self.clock)
        self.secrets = SecretsManager()
        self.parameters = Parameters()
        self.bucket = Bucket()
        self.tables = Tables()
        self.account = Account()

    def __call__(self, service: str) -> Any:
        return {
            "cloudformation": self.formation,
            "secretsmanager": self.secrets,
            "ssm": self.parameters,
            "s3": self.bucket,
            "dynamodb": self.tables,
            "apigateway": self.account,
            "lambda": self.account,
            "service-quotas": self.account,
        }[service]

    def deployed_template(self, stage: str) -> dict[str, Any]:
        """The template that CloudFormation was led to."""
        found: dict[str, Any] = json.loads(self.bucket.objects[f"waybill-{stage}.json"])
        return found
