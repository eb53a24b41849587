"""`make deploy` on a CloudFormation that answers late, is busy, stuck, or somebody else's."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.deploy.errors import DeployError
from infra.deploy.stack import Stack
from infra.package.build import Package
from infra.template.tables import tables_of
from tests.unit.deploy.clouds import Cloud, Standing, refused

STACK = "waybill-prod"


def deploy(cloud: Cloud, package: Package, **given: str) -> dict[str, str]:
    stack = Stack(cloud, "prod", poll_s=2, sleep=cloud.clock.sleep, now=cloud.clock.now)
    return stack.deploy(package, "bucket", given)


def stand(cloud: Cloud, status: str, **parameters: str) -> Standing:
    """A stack of the stage that was deployed before."""
    standing = Standing(
        STACK,
        f"arn:stack/{STACK}/0",
        status,
        {"Stage": "prod", "Secret": "/waybill/prod/secret", "GatewayLogRole": "create"}
        | parameters,
        change_set="arn:changeSet/of-before",
        outputs={"Host": "old"},
    )
    cloud.formation.stacks[STACK] = standing
    return standing


def fail_with(cloud: Cloud, end: str, *reasons: str) -> None:
    cloud.formation.ends_as = end
    cloud.formation.events = [
        {
            "ResourceStatus": "CREATE_FAILED",
            "LogicalResourceId": "WakeupQueue",
            "PhysicalResourceId": "",
            "ResourceStatusReason": reason,
        }
        for reason in reasons
    ]


def test_a_new_stage_is_made_and_its_outputs_are_told(cloud: Cloud, package: Package) -> None:
    assert deploy(cloud, package) == {"Host": "host of 1"}
    assert cloud.formation.last["ChangeSetType"] == "CREATE"
    assert cloud.formation.last["OnStackFailure"] == "DELETE"


@pytest.mark.parametrize("old_looks", [1, 3, 10])
@pytest.mark.parametrize("names_change_sets", [True, False])
@pytest.mark.parametrize("before", ["UPDATE_COMPLETE", "CREATE_COMPLETE", None])
def test_an_end_of_before_is_not_taken_for_the_end(
    cloud: Cloud, package: Package, old_looks: int, names_change_sets: bool, before: str | None
) -> None:
    if before:
        stand(cloud, before)
    cloud.formation.names_change_sets = names_change_sets
    cloud.formation.old_looks = old_looks
    # The first look, before anything is done, is at what is there.
    assert deploy(cloud, package) == {"Host": "host of 1"}
    assert cloud.formation.stacks[STACK].status.endswith("E_COMPLETE")


@pytest.mark.parametrize("names_change_sets", [True, False])
@pytest.mark.parametrize("before", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_an_update_that_fails_later_is_a_failure(
    cloud: Cloud, package: Package, names_change_sets: bool, before: str
) -> None:
    stand(cloud, before)
    cloud.formation.names_change_sets = names_change_sets
    cloud.formation.old_looks = 4
    fail_with(cloud, "UPDATE_ROLLBACK_COMPLETE", "no room")
    with pytest.raises(DeployError, match=r"UPDATE_ROLLBACK_COMPLETE\nWakeupQueue: no room"):
        deploy(cloud, package)


def test_what_is_just_made_may_be_missing_at_first(cloud: Cloud, package: Package) -> None:
    cloud.formation.late_change_sets = 3
    assert deploy(cloud, package) == {"Host": "host of 1"}


def test_a_change_set_that_stays_missing_is_not_waited_for_long(
    cloud: Cloud, package: Package
) -> None:
    cloud.formation.late_change_sets = 10_000
    with pytest.raises(Exception, match="ChangeSetNotFound"):
        deploy(cloud, package)
    assert cloud.clock.now() < 90


@pytest.mark.parametrize(
    "trouble",
    [refused("Throttling"), EndpointConnectionError(endpoint_url="https://cloudformation.test")],
)
def test_trouble_while_looking_does_not_end_the_wait(
    cloud: Cloud, package: Package, trouble: Exception
) -> None:
    formation = cloud.formation
    formation.meanwhile = lambda: formation.trouble.extend([trouble] * 3)
    assert deploy(cloud, package) == {"Host": "host of 1"}


def test_an_execution_asked_for_twice_is_waited_for(cloud: Cloud, package: Package) -> None:
    """An answer that is lost is asked for again by botocore."""
    cloud.formation.repeats_requests = True
    assert deploy(cloud, package) == {"Host": "host of 1"}


def test_a_change_without_an_end_is_given_up_and_said_so(cloud: Cloud, package: Package) -> None:
    cloud.formation.ends_as = "CREATE_IN_PROGRESS"
    with pytest.raises(DeployError, match=r"no end .* it may still come"):
        deploy(cloud, package)


def test_nothing_new_changes_nothing(cloud: Cloud, package: Package) -> None:
    stand(cloud, "UPDATE_COMPLETE")
    cloud.formation.is_empty = True
    assert deploy(cloud, package) == {"Host": "old"}
    assert "execute_change_set" not in cloud.formation.calls
    assert cloud.formation.change_sets == {}


STUCK = {
    "ROLLBACK_COMPLETE": "delete-stack --stack-name waybill-prod",
    "CREATE_FAILED": "delete-stack --stack-name waybill-prod",
    "ROLLBACK_FAILED": "delete-stack --stack-name waybill-prod --deletion-mode FORCE_DELETE_STACK",
    "DELETE_FAILED": "delete-stack --stack-name waybill-prod --deletion-mode FORCE_DELETE_STACK",
    "UPDATE_FAILED": "rollback-stack --stack-name waybill-prod",
    "UPDATE_ROLLBACK_FAILED": "continue-update-rollback --stack-name waybill-prod",
    "IMPORT_ROLLBACK_FAILED": "describe-stack-events --stack-name waybill-prod",
    "CREATE_IN_PROGRESS": "wait stack-create-complete --stack-name waybill-prod",
    "ROLLBACK_IN_PROGRESS": "wait stack-delete-complete --stack-name waybill-prod",
    "DELETE_IN_PROGRESS": "wait stack-delete-complete --stack-name waybill-prod",
    "UPDATE_IN_PROGRESS": "wait stack-update-complete --stack-name waybill-prod",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "wait stack-update-complete",
    "UPDATE_ROLLBACK_IN_PROGRESS": "wait stack-rollback-complete",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "wait stack-rollback-complete",
    "IMPORT_IN_PROGRESS": "wait stack-import-complete",
    "IMPORT_ROLLBACK_IN_PROGRESS": "wait stack-import-complete",
}


@pytest.mark.parametrize(("status", "command"), STUCK.items())
def test_a_stack_that_cannot_be_changed_is_named_with_what_helps(
    cloud: Cloud, package: Package, status: str, command: str
) -> None:
    stand(cloud, status)
    with pytest.raises(DeployError, match=f"waybill-prod is {status}") as stopped:
        deploy(cloud, package)
    assert f"aws cloudformation {command}" in str(stopped.value)
    assert cloud.bucket.objects == {}
    assert "create_change_set" not in cloud.formation.calls


def test_a_stack_that_somebody_changes_meanwhile_is_named_too(
    cloud: Cloud, package: Package
) -> None:
    """It is looked at, and then it is theirs."""
    standing = stand(cloud, "UPDATE_COMPLETE")

    def others_deploy() -> None:
        standing.status = "UPDATE_IN_PROGRESS"

    cloud.bucket.meanwhile = others_deploy
    with pytest.raises(DeployError, match="wait stack-update-complete"):
        deploy(cloud, package)


@pytest.mark.parametrize(
    "status",
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"],
)
def test_a_stack_at_rest_is_updated(cloud: Cloud, package: Package, status: str) -> None:
    stand(cloud, status)
    assert deploy(cloud, package) == {"Host": "host of 1"}
    assert cloud.formation.last["ChangeSetType"] == "UPDATE"


def test_a_stack_that_was_only_looked_over_is_made(cloud: Cloud, package: Package) -> None:
    """Its change set was never executed: as after an interruption, or by somebody who reviews."""
    stand(cloud, "REVIEW_IN_PROGRESS").change_set = None
    assert deploy(cloud, package) == {"Host": "host of 1"}
    assert cloud.formation.last["ChangeSetType"] == "CREATE"


def test_somebodys_reviewed_stack_is_not_deleted_with_a_change_set_that_fails(
    cloud: Cloud, package: Package
) -> None:
    stand(cloud, "REVIEW_IN_PROGRESS")
    cloud.formation.is_empty = True
    deploy(cloud, package)
    assert "delete_stack" not in cloud.formation.calls


@pytest.mark.parametrize(
    ("end", "reason", "advice"),
    [
        ("DELETE_COMPLETE", "anything", "wait a minute, then make deploy again"),
        (
            "ROLLBACK_COMPLETE",
            "You must wait 60 seconds after deleting a queue before you can create another",
            "wait a minute, then make deploy again",
        ),
        ("DELETE_FAILED", "no answer", "--deletion-mode FORCE_DELETE_STACK"),
        ("ROLLBACK_FAILED", "no answer", "delete-stack --stack-name waybill-prod"),
        ("DELETE_COMPLETE", "CloudWatch Logs role ARN must be set", "GatewayLogRole=create"),
    ],
)
def test_a_creation_that_fails_says_what_to_do_next(
    cloud: Cloud, package: Package, end: str, reason: str, advice: str
) -> None:
    fail_with(cloud, end, reason)
    with pytest.raises(DeployError, match=end) as failed:
        deploy(cloud, package)
    assert f"WakeupQueue: {reason}" in str(failed.value)
    assert advice in str(failed.value)


def test_an_update_that_can_not_go_back_says_what_to_do_next(
    cloud: Cloud, package: Package
) -> None:
    stand(cloud, "UPDATE_COMPLETE")
    fail_with(cloud, "UPDATE_ROLLBACK_FAILED", "gone")
    with pytest.raises(DeployError, match="continue-update-rollback --stack-name waybill-prod"):
        deploy(cloud, package)


# Parameters


def test_every_parameter_given_once_stays(cloud: Cloud, package: Package) -> None:
    cloud.parameters.values["/elsewhere"] = cloud.parameters.values["/waybill/prod/secret"]
    once = {
        "Secret": "/elsewhere",
        "Domain": "x.example",
        "CertificateArn": "arn:a",
        "FeedStaleS": "60",
    }
    deploy(cloud, package, GatewayLogRole="create", **once)
    deploy(cloud, package, DispatchRadiusM="700")
    stays = cloud.formation.last_given
    assert stays.pop("DispatchRadiusM") == "700"
    assert stays.pop("Stage") == "prod"
    assert stays.pop("Secret") == "/elsewhere"
    assert stays == dict.fromkeys((*once.keys() - {"Secret"}, "GatewayLogRole"), "(kept)")


def test_what_is_given_again_changes(cloud: Cloud, package: Package) -> None:
    cloud.parameters.values["/new"] = cloud.parameters.values["/waybill/prod/secret"]
    stand(cloud, "UPDATE_COMPLETE", FeedStaleS="60")
    deploy(cloud, package, Secret="/new", FeedStaleS="70")
    assert cloud.formation.last_given["Secret"] == "/new"
    assert cloud.formation.last_given["FeedStaleS"] == "70"


def test_the_kept_secret_is_the_one_that_is_looked_at(cloud: Cloud, package: Package) -> None:
    stand(cloud, "UPDATE_COMPLETE", Secret="/gone")
    with pytest.raises(DeployError, match="/gone can't be read"):
        deploy(cloud, package)


def test_what_the_template_has_no_more_is_not_sent(cloud: Cloud, package: Package) -> None:
    stand(cloud, "UPDATE_COMPLETE", OfOld="1")
    deploy(cloud, package)
    assert "OfOld" not in cloud.formation.last_given


def test_a_parameter_that_is_none_is_refused_before_anything_is_made(
    cloud: Cloud, package: Package
) -> None:
    with pytest.raises(DeployError, match="no parameter Domian"):
        deploy(cloud, package, Domian="x.example")
    with pytest.raises(DeployError, match="Stage=test is another one"):
        deploy(cloud, package, Stage="test")
    assert cloud.bucket.objects == {}


# The role by which a Region's API Gateway logs


def test_the_accounts_role_is_not_replaced_unasked(cloud: Cloud, package: Package) -> None:
    cloud.account.role = "arn:role"
    deploy(cloud, package)
    assert cloud.formation.last_given["GatewayLogRole"] == "existing"


def test_an_account_without_a_role_gets_one(cloud: Cloud, package: Package) -> None:
    deploy(cloud, package)
    assert cloud.formation.last_given["GatewayLogRole"] == "create"


def test_the_role_that_the_stage_itself_has_made_stays(cloud: Cloud, package: Package) -> None:
    stand(cloud, "UPDATE_COMPLETE", GatewayLogRole="create")
    cloud.account.role = "arn:the-stages-own"
    deploy(cloud, package)
    assert cloud.formation.last_given["GatewayLogRole"] == "(kept)"


def test_who_may_not_look_says_it(cloud: Cloud, package: Package) -> None:
    cloud.account.denied = {"apigateway"}
    with pytest.raises(DeployError, match='PARAMETERS="GatewayLogRole=existing"'):
        deploy(cloud, package)
    deploy(cloud, package, GatewayLogRole="existing")
    assert cloud.formation.last_given["GatewayLogRole"] == "existing"


# Tables


def leave_tables(cloud: Cloud, package: Package) -> list[str]:
    """Deploy, and delete the stack: its tables stay, as CloudFormation made them."""
    deploy(cloud, package)
    made = [t["Properties"] for _, t in tables_of(cloud.deployed_template("prod"))]
    cloud.tables.there = {t["TableName"]: t for t in made}
    cloud.formation.delete_stack(STACK)
    return list(cloud.tables.there)


def policies(cloud: Cloud) -> set[str]:
    return {t["DeletionPolicy"] for _, t in tables_of(cloud.deployed_template("prod"))}


def test_tables_are_named_literally_so_that_they_can_be_imported(
    cloud: Cloud, package: Package
) -> None:
    deploy(cloud, package)
    assert cloud.formation.last["ImportExistingResources"] is True
    named = [t["Properties"]["TableName"] for _, t in tables_of(cloud.deployed_template("prod"))]
    assert "waybill-prod-orders" in named
    assert all(name.startswith("waybill-prod-") for name in named)
    assert policies(cloud) == {"RetainExceptOnCreate"}


def test_a_deleted_stage_takes_its_tables_over_and_never_deletes_them(
    cloud: Cloud, package: Package
) -> None:
    """Also if its creation is undone."""
    leave_tables(cloud, package)
    deploy(cloud, package)
    assert cloud.formation.last["ChangeSetType"] == "CREATE"
    assert policies(cloud) == {"Retain"}


def test_a_table_that_comes_back_by_an_update_is_taken_over(cloud: Cloud, package: Package) -> None:
    leave_tables(cloud, package)
    standing = stand(cloud, "UPDATE_COMPLETE")
    every = [name for name, _ in tables_of(cloud.deployed_template("prod"))]
    standing.logical_ids = tuple(name for name in every if name != "OrdersTable")
    deploy(cloud, package)
    found = dict(tables_of(cloud.deployed_template("prod")))
    assert [n for n, t in found.items() if t["DeletionPolicy"] == "Retain"] == ["OrdersTable"]


def test_a_table_of_another_shape_is_not_taken_over(cloud: Cloud, package: Package) -> None:
    """CloudFormation would not notice, and queries would fail for want of an index."""
    leave_tables(cloud, package)
    del cloud.tables.there["waybill-prod-orders"]["GlobalSecondaryIndexes"][0]
    before = dict(cloud.bucket.objects)
    with pytest.raises(DeployError, match="waybill-prod-orders is there, with other keys"):
        deploy(cloud, package)
    assert cloud.bucket.objects == before
    assert STACK not in cloud.formation.stacks


def test_a_table_that_is_just_going_is_waited_for(cloud: Cloud, package: Package) -> None:
    name = leave_tables(cloud, package)[0]
    cloud.tables.there[name]["TableStatus"] = "DELETING"
    with pytest.raises(DeployError, match=f"{name} is being deleted: wait a minute"):
        deploy(cloud, package)


def test_who_may_not_look_for_tables_keeps_them_all(cloud: Cloud, package: Package) -> None:
    cloud.tables.trouble = refused("AccessDeniedException")
    deploy(cloud, package)
    assert policies(cloud) == {"Retain"}


# What is left to go back to


def test_the_package_stays_in_the_bucket_by_its_digest(cloud: Cloud, package: Package) -> None:
    deploy(cloud, package)
    digest = package.digest
    assert cloud.bucket.objects[f"waybill-{digest}.zip"] == b"zip"
    (sam,) = (k for k in cloud.bucket.objects if k.startswith(f"waybill-{digest}-"))
    assert cloud.bucket.objects[sam] == package.template.read_bytes()
