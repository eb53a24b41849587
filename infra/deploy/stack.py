"""A stage as a stack: upload, change set, execution."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy import remains, secret, states
from infra.deploy.account import LOG_ROLE, choose_log_role, find_shortages
from infra.deploy.changes import ChangeSet, Description, PollingPace
from infra.deploy.errors import DeployError
from infra.deploy.secret import Clients
from infra.package.build import Package
from infra.template.expansion import Prepare, Template, with_code
from infra.template.tables import tables_of

_NOTHING_NEW = ("didn't contain changes", "No updates are to be performed")
_BEGINS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


def _say_nothing(line: str) -> None:
    """Drop a remark."""


@dataclass(frozen=True)
class Stack:
    """A stage's stack in the account where `clients` lead.

    While the stack changes it is looked at every `poll_s`. `say` is given what a person should
    know, but what is no reason to refuse the deployment.
    """

    clients: Clients
    stage: str
    poll_s: float = 3.0
    say: Callable[[str], None] = _say_nothing
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    @property
    def name(self) -> str:
        """CloudFormation's name of the stack."""
        return f"waybill-{self.stage}"

    def deploy(
        self, package: Package, bucket: str, given: Mapping[str, str], prepare: Prepare = with_code
    ) -> dict[str, str]:
        """Create or update the stack; return its outputs. Parameters not given stay as they are.

        Tables that an earlier stack of this stage has left are taken over. Raises DeployError; if
        the stack, the secret or a setting can't be used, before anything is made. And what
        botocore raises.
        """
        standing = self._find_standing()
        packaged = json.loads(package.template.read_text())
        old = _parameters_of(standing)
        new = self._choose_parameters(packaged["Parameters"], old, given)
        # Before anything is uploaded, and before CloudFormation, which looks at a secret late.
        secret.check_secret(self.clients, new["Secret"], {**old, **new})
        self._name_shortages(packaged["Parameters"], {**old, **new})
        template = prepare(packaged, f"s3://{bucket}/{_zip_key(package)}", {**old, **new})
        dynamodb = self.clients("dynamodb")
        held = self._tables_held(template) if old else ()
        template = remains.take_over(dynamodb, template, self.stage, held, self.say)
        url = self._upload_package(package, template, bucket)
        kept = (old.keys() & template["Parameters"].keys()) - new.keys()
        changed = self._execute_change(_format_parameters(new, kept), url, standing)
        stack = changed or self._describe_stack(self.name)
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def _find_standing(self) -> Description | None:
        """Return the stack that is there, or None. Raises DeployError if it can't be changed."""
        try:
            found = self._describe_stack(self.name)
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        if obstacle := states.find_obstacle(self.name, found["StackStatus"]):
            raise DeployError(obstacle)
        return found

    def _choose_parameters(
        self, known: Collection[str], old: Mapping[str, str], given: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the parameters to send: those given, and those that need a first value."""
        if given.get("Stage", self.stage) != self.stage:
            raise DeployError(f"The stage is {self.stage}: Stage={given['Stage']} is another one.")
        if unknown := [name for name in given if name not in known]:
            raise DeployError(f"The template has no parameter {', '.join(unknown)}.")
        new = {"Secret": self._secret_at(old), **given, "Stage": self.stage}
        if LOG_ROLE in known and LOG_ROLE not in {**old, **given}:
            new[LOG_ROLE] = choose_log_role(self.clients)
        return new

    def _secret_at(self, old: Mapping[str, str]) -> str:
        """Return the SSM parameter that was given once, or the one that `make secret` makes."""
        name = old.get("Secret", "")
        # ministack shows what the parameter holds, and not its name.
        return secret.parameter_name(self.stage) if ":secretsmanager:" in name or not name else name

    def _name_shortages(self, known: Mapping[str, Any], chosen: Mapping[str, str]) -> None:
        """Say which quotas are too low, if anybody listens."""
        if self.say is _say_nothing:
            return
        defaults = {name: str(each.get("Default", "")) for name, each in known.items()}
        for shortage in find_shortages(self.clients, {**defaults, **chosen}):
            self.say(shortage)

    def _tables_held(self, template: Template) -> set[str]:
        """Return the logical ids of the template's tables that the stack has."""
        formation = self.clients("cloudformation")
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        held = {
            each["LogicalResourceId"] for page in pages for each in page["StackResourceSummaries"]
        }
        return held & {name for name, _ in tables_of(template)}

    def _upload_package(self, package: Package, template: Template, bucket: str) -> str:
        """Put the package and this stage's template into the bucket; return the latter's address.

        The package lies there by its digest, so that it can be fetched to go back to it.
        """
        s3 = self.clients("s3")
        s3.put_object(Bucket=bucket, Key=_zip_key(package), Body=package.archive.read_bytes())
        s3.put_object(Bucket=bucket, Key=_template_key(package), Body=package.template.read_bytes())
        key = f"{self.name}.json"
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
        self.say(f"s3://{bucket}/{_zip_key(package)}\ns3://{bucket}/{_template_key(package)}")
        return f"{s3.meta.endpoint_url}/{bucket}/{key}"

    def _execute_change(
        self, parameters: list[dict[str, Any]], url: str, standing: Description | None
    ) -> Description | None:
        """Have the change set made and executed; return the stack, or None if it is empty."""
        is_new = _is_unborn(standing)
        try:
            change = ChangeSet.create(
                self.clients("cloudformation"),
                PollingPace(self.poll_s, self.sleep, self.now),
                makes_stack=is_new,
                StackName=self.name,
                TemplateURL=url,
                Parameters=parameters,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                ImportExistingResources=True,
                **({"OnStackFailure": "DELETE"} if is_new else {}),
            )
            made = change.await_created()
            if made["Status"] == "CREATE_COMPLETE":
                return self._require_success(change.execute())
        except ClientError as error:
            if obstacle := self._find_obstacle():
                raise DeployError(f"{error}\n{obstacle}") from error
            raise
        reason = made.get("StatusReason", "")
        change.delete(stack_too=standing is None)
        if not any(text in reason for text in _NOTHING_NEW):
            raise DeployError(reason)
        return None

    def _find_obstacle(self) -> str | None:
        """Say why a change was refused: the stack may be another's since it was looked at."""
        try:
            return states.find_obstacle(self.name, self._describe_stack(self.name)["StackStatus"])
        except ClientError:
            return None

    def _require_success(self, stack: Description) -> Description:
        """Return the stack if its end is a success; raise DeployError with what failed if not."""
        status = stack["StackStatus"]
        if status in states.SUCCEEDED:
            return stack
        failures = [*self._find_failures(stack["StackId"])]
        lines = [f"{self.name}: {status}", *failures, *states.find_hints(failures)]
        if obstacle := states.find_obstacle(self.name, status):
            lines.append(obstacle)
        raise DeployError("\n".join(lines))

    def _describe_stack(self, stack: str) -> Description:
        found: Description = self.clients("cloudformation").describe_stacks(StackName=stack)[
            "Stacks"
        ][0]
        return found

    def _find_failures(self, stack_id: str) -> Iterator[str]:
        """Yield what failed since the last change began, newest first."""
        formation = self.clients("cloudformation")
        for page in formation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                status = event["ResourceStatus"]
                if status.endswith("_FAILED"):
                    reason = event.get("ResourceStatusReason", "")
                    yield f"{event['LogicalResourceId']}: {reason}"
                if event["PhysicalResourceId"] == stack_id and status in _BEGINS:
                    return


def _is_unborn(standing: Description | None) -> bool:
    return standing is None or standing["StackStatus"] == states.UNBORN


def _parameters_of(standing: Description | None) -> dict[str, str]:
    """Return the parameters that the stack was last given; none, if it was never made."""
    if standing is None or _is_unborn(standing):
        return {}
    return {each["ParameterKey"]: each["ParameterValue"] for each in standing.get("Parameters", ())}


def _format_parameters(new: Mapping[str, str], kept: Collection[str]) -> list[dict[str, Any]]:
    """Return CreateChangeSet's parameters: values of the new ones, and names of those kept."""
    return [
        *({"ParameterKey": name, "ParameterValue": value} for name, value in new.items()),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)),
    ]


def _zip_key(package: Package) -> str:
    return f"waybill-{package.digest}.zip"


def _template_key(package: Package) -> str:
    # Two versions may share a zip and differ in their templates.
    return f"waybill-{package.digest}-{sha256(package.template.read_bytes()).hexdigest()[:12]}.json"
