"""A stage as a stack: upload, change set, execution."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy import secret
from infra.deploy.errors import DeployError
from infra.deploy.secret import Clients
from infra.package.build import Package
from infra.template.expansion import Prepare, with_code

WITHIN_S = 1800.0  # a new distribution takes minutes
_NOTHING_NEW = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Stack:
    """A stage's stack, where `clients` lead. While it changes it is looked at every `poll_s`."""

    clients: Clients
    stage: str
    poll_s: float = 3.0

    @property
    def name(self) -> str:
        """As CloudFormation has it."""
        return f"waybill-{self.stage}"

    def deploy(
        self, package: Package, bucket: str, given: Mapping[str, str], prepare: Prepare = with_code
    ) -> dict[str, str]:
        """Create or update the stack; return its outputs. Parameters not given stay as they are.

        Raises DeployError; if the secret or a setting can't be used, before anything is made. And
        what botocore raises.
        """
        old = self._parameters()
        new = {"Stage": self.stage, "Secret": secret.parameter_name(self.stage), **given}
        secret.check(self.clients, new["Secret"], {**old, **new})
        template = prepare(
            json.loads(package.template.read_text()), f"s3://{bucket}/{_zip(package)}", new
        )
        kept = (old.keys() & template["Parameters"].keys()) - new.keys()
        url = self._upload(package, template, bucket)
        self._change(
            url,
            [
                *({"ParameterKey": name, "ParameterValue": value} for name, value in new.items()),
                *({"ParameterKey": name, "UsePreviousValue": True} for name in kept),
            ],
            is_new=not old,
        )
        return {o["OutputKey"]: o["OutputValue"] for o in self._described(self.name)["Outputs"]}

    def _parameters(self) -> dict[str, str]:
        """What the stack was last given; nothing, if there is none."""
        try:
            found = self._described(self.name)
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return {}
        if found["StackStatus"] == "REVIEW_IN_PROGRESS":
            return {}
        return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}

    def _upload(self, package: Package, template: dict[str, Any], bucket: str) -> str:
        """Put both files into the bucket; return the template's address."""
        s3 = self.clients("s3")
        s3.put_object(Bucket=bucket, Key=_zip(package), Body=package.archive.read_bytes())
        key = f"{self.name}.json"
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
        return f"{s3.meta.endpoint_url}/{bucket}/{key}"

    def _change(self, url: str, parameters: list[dict[str, Any]], *, is_new: bool) -> None:
        """Have the change set made and executed, unless it is empty."""
        formation = self.clients("cloudformation")
        made = formation.create_change_set(
            StackName=self.name,
            ChangeSetName=f"deploy-{time.time_ns()}",
            ChangeSetType="CREATE" if is_new else "UPDATE",
            TemplateURL=url,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            **({"OnStackFailure": "DELETE"} if is_new else {}),
        )
        change = self._settled(
            lambda: formation.describe_change_set(ChangeSetName=made["Id"]), "Status"
        )
        if change["Status"] == "CREATE_COMPLETE":
            formation.execute_change_set(ChangeSetName=made["Id"])
            self._await_end(made["StackId"])
            return
        reason = change.get("StatusReason", "")
        formation.delete_change_set(ChangeSetName=made["Id"])
        if is_new:  # what it was made for is there, and empty
            formation.delete_stack(StackName=made["StackId"])
        if not any(text in reason for text in _NOTHING_NEW):
            raise DeployError(reason)

    def _await_end(self, stack_id: str) -> None:
        end = self._settled(lambda: self._described(stack_id), "StackStatus")["StackStatus"]
        if end not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise DeployError("\n".join([f"{self.name}: {end}", *self._failures(stack_id)]))

    def _settled(self, look: Callable[[], dict[str, Any]], status: str) -> dict[str, Any]:
        give_up_at = time.monotonic() + WITHIN_S
        while (seen := look())[status].endswith(("IN_PROGRESS", "PENDING")):
            if time.monotonic() > give_up_at:
                raise DeployError(f"{self.name}: still {seen[status]} after {WITHIN_S:.0f} s")
            time.sleep(self.poll_s)
        return seen

    def _described(self, stack: str) -> dict[str, Any]:
        found: dict[str, Any] = self.clients("cloudformation").describe_stacks(StackName=stack)[
            "Stacks"
        ][0]
        return found

    def _failures(self, stack_id: str) -> Iterator[str]:
        """What failed since the last change began, newest first."""
        formation = self.clients("cloudformation")
        for page in formation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                status = event["ResourceStatus"]
                if status.endswith("_FAILED"):
                    reason = event.get("ResourceStatusReason", "")
                    yield f"{event['LogicalResourceId']}: {reason}"
                if event["PhysicalResourceId"] == stack_id and status in _BEGINS:
                    return


_BEGINS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


def _zip(package: Package) -> str:
    return f"waybill-{package.digest}.zip"
