"""The real thing: `chalice package` with PyPI, once, run as Lambda runs it and deployed.

One module, so that one worker packages once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import app
from infra.conformance.deployment import (
    DeployedStage,
    adapt_template,
    bring_up,
    clients_of,
    deploy_stage,
)
from infra.deploy import secret
from infra.deploy.errors import DeployError
from infra.deploy.secret import parameter_name
from infra.local.engine import Ministack
from infra.package.archive import MAX_BYTES
from infra.package.build import Package, PackageError, build_package, this_architecture
from infra.package.cold import ALLOWED, measure_starts
from infra.package.project import HOME, PackagingOptions
from infra.package.template import without_packaging
from infra.template.guard import GUARD
from infra.template.tables import tables_of
from tests.conftest import SECRET, free_port
from tests.e2e.checked import urlopen
from tests.e2e.conftest import wait_for

# Kept from run to run: Chalice asks PyPI again only when the requirements have changed.
OUT = HOME / "dist" / "tested"
DEPLOYED_WITHIN_S = 180.0  # each function that is called starts a process


@pytest.fixture(scope="module")
def package() -> Package:
    """A package that this machine can run."""
    try:
        return build_package(OUT, PackagingOptions(architecture=this_architecture()))
    except PackageError as error:
        if "download" in str(error).lower() or "could not" in str(error).lower():
            pytest.skip(f"PyPI can't be reached: {error}")
        raise


def test_its_template_is_the_one_that_the_unit_tests_read(package: Package) -> None:
    packaged = json.loads(package.template.read_text())
    assert packaged == without_packaging(app, package.template.parent / "project", package.digest)


def test_the_zip_is_small_and_holds_no_more_than_runs(package: Package) -> None:
    assert package.archive.stat().st_size <= MAX_BYTES
    with zipfile.ZipFile(package.archive) as made:
        tops = {name.partition("/")[0] for name in made.namelist()}
    assert {"app.py", "chalicelib", "chalice", "botocore", "pynamodb", "msgspec"} <= tops
    assert tops.isdisjoint({"infra", "tests", "boto3", "cryptography", "moto", "pip"})


def test_it_imports_within_its_budget(package: Package) -> None:
    # The least of nine runs: a busy moment is nobody's.
    times = measure_starts(package.archive, runs=9, names=("floor", "import app"))
    assert times["import app"] <= ALLOWED * times["floor"]


def test_all_its_clients_share_one_session(package: Package, tmp_path: Path) -> None:
    """pynamodb's: another one would cost a cold start its models and credentials again."""
    with zipfile.ZipFile(package.archive) as made:
        made.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, '.'); import gc, botocore.session; "
        "from chalicelib.wiring import waybill; kept = waybill(); "
        "print(sum(isinstance(each, botocore.session.Session) for each in gc.get_objects()))"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        cwd=tmp_path,
        env={"AWS_REGION": "us-east-1", "JWT_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "1\n", ran.stderr[-500:]


def test_what_is_imported_is_compiled(package: Package, tmp_path: Path) -> None:
    """Not one .py of the zip is read as source."""
    with zipfile.ZipFile(package.archive) as made:
        made.extractall(tmp_path)
    for source in tmp_path.rglob("*.py"):
        source.write_text("raise SystemError('compiled at a cold start')\n")
    ran = subprocess.run(
        [sys.executable, "-S", "-B", "-c", "import sys; sys.path.insert(0, '.'); import app"],
        cwd=tmp_path,
        env={"PATH": "", "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-500:]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """An engine with everything that a stack is made of. Every test has a stage of its own."""
    environment = {"SERVICES": "", "PERSIST_STATE": "0"}
    with Ministack(
        free_port(), tmp_path_factory.mktemp("cloud"), environment=environment
    ) as engine:
        yield engine


def clients(cloud: Ministack, service: str) -> Any:
    return clients_of(cloud.endpoint)(service)


def made(cloud: Ministack, stage: str) -> set[str]:
    """Everything with a stage in its name that costs, serves or keeps something."""
    found = [
        *clients(cloud, "dynamodb").list_tables()["TableNames"],
        *clients(cloud, "sqs").list_queues().get("QueueUrls", []),
        *(f["FunctionName"] for f in clients(cloud, "lambda").list_functions()["Functions"]),
        *(role["RoleName"] for role in clients(cloud, "iam").list_roles()["Roles"]),
        *(g["logGroupName"] for g in clients(cloud, "logs").describe_log_groups()["logGroups"]),
        *(api["Name"] for api in clients(cloud, "apigatewayv2").get_apis()["Items"]),
        *(api["name"] for api in clients(cloud, "apigateway").get_rest_apis()["items"]),
    ]
    return {name for name in found if re.search(rf"waybill[-/]{stage}\b", name)}


def put_secret(cloud: Ministack, stage: str, content: str) -> str:
    """Any secret, where a stage looks for its own; its ARN."""
    arn = clients(cloud, "secretsmanager").create_secret(Name=stage, SecretString=content)["ARN"]
    put_parameter(cloud, stage, arn)
    return str(arn)


def put_parameter(cloud: Ministack, stage: str, arn: str) -> None:
    clients(cloud, "ssm").put_parameter(Name=parameter_name(stage), Type="String", Value=arn)


GOOD = json.dumps({"JWT_SECRET": SECRET, "PAYMENT_WEBHOOK_SECRET": SECRET})
UNUSABLE = {
    "short": ('{"JWT_SECRET": "short", "PAYMENT_WEBHOOK_SECRET": ""}', "at least 32 characters"),
    "empty": ('{"JWT_SECRET": "", "PAYMENT_WEBHOOK_SECRET": ""}', "JWT_SECRET .* must be set"),
    "misnamed": ('{"jwt_secret": "x", "PAYMENT_WEBHOOK_SECRET": ""}', "must be a JSON object"),
    "half": (json.dumps({"JWT_SECRET": SECRET}), "must be a JSON object"),
    "plain": (SECRET, "must be a JSON object"),
}


@pytest.mark.parametrize(("stage", "content", "reason"), [(k, *v) for k, v in UNUSABLE.items()])
def test_a_stage_is_not_begun_with_a_secret_that_cannot_be_used(
    package: Package, cloud: Ministack, stage: str, content: str, reason: str
) -> None:
    put_secret(cloud, stage, content)
    with pytest.raises(DeployError, match=reason) as refused:
        bring_up(package.template.parent, cloud.endpoint, stage)
    assert SECRET not in str(refused.value)
    assert stacks(cloud, stage) == []
    assert made(cloud, stage) == set()


def test_a_stage_is_not_begun_without_its_parameter_or_the_secret_that_this_names(
    package: Package, cloud: Ministack
) -> None:
    folder = package.template.parent
    with pytest.raises(DeployError, match=r"/waybill/none/secret can't be read.*make secret"):
        bring_up(folder, cloud.endpoint, "none")
    put_parameter(cloud, "none", "arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-abcdef")
    with pytest.raises(DeployError, match="secret:gone-abcdef, which can't be read"):
        bring_up(folder, cloud.endpoint, "none")
    assert stacks(cloud, "none") == []
    assert made(cloud, "none") == set()


def test_keys_by_url_need_no_jwt_secret_and_a_bad_setting_is_refused_as_well(
    cloud: Ministack,
) -> None:
    def check(**given: str) -> None:
        secret.check_secret(clients_of(cloud.endpoint), parameter_name("keys"), given)

    put_secret(cloud, "keys", '{"PAYMENT_WEBHOOK_SECRET": ""}')
    check(JwtJwksUrl="https://keys.example/jwks.json")
    with pytest.raises(DeployError, match="must be a JSON object"):
        check()
    with pytest.raises(DeployError, match="DISPATCH_RADIUS_M takes a number"):
        check(JwtJwksUrl="https://keys.example/jwks.json", DispatchRadiusM="far")


def deploy_past_the_look(package: Package, cloud: Ministack, stage: str, **given: str) -> str:
    """As whoever deploys with tools of their own; how it ends."""
    given = {"Stage": stage, "Secret": parameter_name(stage), **given}
    s3, formation = clients(cloud, "s3"), clients(cloud, "cloudformation")
    s3.create_bucket(Bucket=stage)
    s3.put_object(Bucket=stage, Key="zip", Body=package.archive.read_bytes())
    template = adapt_template(
        cloud.endpoint, json.loads(package.template.read_text()), f"s3://{stage}/zip", given
    )
    s3.put_object(Bucket=stage, Key="template", Body=json.dumps(template).encode())
    change = formation.update_stack if stacks(cloud, stage) else formation.create_stack
    change(
        StackName=f"waybill-{stage}",
        TemplateURL=f"{cloud.endpoint}/{stage}/template",
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
    )
    return str(
        wait_for(
            lambda: [s for s in stacks(cloud, stage) if not s.endswith("PROGRESS")],
            within_s=DEPLOYED_WITHIN_S,
        )[0]
    )


def stacks(cloud: Ministack, stage: str) -> list[str]:
    """The state of a stage's stacks, those that were deleted too."""
    listed = clients(cloud, "cloudformation").list_stacks()["StackSummaries"]
    return [s["StackStatus"] for s in listed if s["StackName"] == f"waybill-{stage}"]


def events(cloud: Ministack, stage: str) -> list[dict[str, Any]]:
    """What CloudFormation did, newest first."""
    pages = clients(cloud, "cloudformation").get_paginator("describe_stack_events")
    found = pages.paginate(StackName=f"waybill-{stage}")
    return [event for page in found for event in page["StackEvents"]]


CHECKED_FIRST = {"CheckSettingsRole", "CheckSettingsLogs", "CheckSettings", "SettingsChecked"}


@pytest.mark.parametrize(
    ("stage", "content", "reason"),
    [
        ("raw-short", UNUSABLE["short"][0], "JWT_SECRET must have at least 32 characters."),
        ("raw-gone", None, "not found"),
    ],
)
def test_the_template_itself_makes_nothing_with_a_secret_that_cannot_be_used(
    package: Package, cloud: Ministack, stage: str, content: str | None, reason: str
) -> None:
    arn = put_secret(cloud, stage, content or GOOD)
    if content is None:
        clients(cloud, "secretsmanager").delete_secret(
            SecretId=arn, ForceDeleteWithoutRecovery=True
        )
    assert deploy_past_the_look(package, cloud, stage) == "ROLLBACK_COMPLETE"
    begun = {event["LogicalResourceId"] for event in events(cloud, stage)}
    assert begun - {f"waybill-{stage}"} <= CHECKED_FIRST
    assert any(reason in event.get("ResourceStatusReason", "") for event in events(cloud, stage))
    assert made(cloud, stage) == set()


def test_a_stage_that_runs_goes_on_as_it_was_when_a_change_cannot_be_used(
    package: Package, cloud: Ministack
) -> None:
    at = deploy_stage(package.template.parent, cloud.endpoint, SECRET, "runs")
    before = len(events(cloud, "runs"))
    assert deploy_past_the_look(package, cloud, "runs", FeedStaleS="never").endswith(
        "ROLLBACK_COMPLETE"
    )
    begun = {event["LogicalResourceId"] for event in events(cloud, "runs")[:-before]}
    assert "SettingsChecked" in begun
    assert begun - {"waybill-runs"} <= CHECKED_FIRST
    assert is_healthy(at)


def is_healthy(at: DeployedStage) -> bool:
    with urlopen(f"{at.rest_url}/health", timeout=DEPLOYED_WITHIN_S) as answer:
        return bool(answer.status == 200)


def test_two_stages_stand_side_by_side(package: Package, cloud: Ministack) -> None:
    """The second one does not touch the first, nor does taking it down."""
    folder = package.template.parent
    one = deploy_stage(folder, cloud.endpoint, SECRET, "one")
    of_one = made(cloud, "one")
    two = deploy_stage(folder, cloud.endpoint, SECRET, "two")
    assert made(cloud, "one") == of_one
    assert len({re.sub("two", "one", name) for name in made(cloud, "two")}) == len(of_one)
    assert is_healthy(one)
    assert is_healthy(two)
    clients(cloud, "cloudformation").delete_stack(StackName="waybill-two")
    wait_for(lambda: "DELETE_COMPLETE" in stacks(cloud, "two"), within_s=DEPLOYED_WITHIN_S)
    assert made(cloud, "one") == of_one
    assert is_healthy(one)


def test_deploying_again_changes_what_is_given_and_nothing_else(
    package: Package, cloud: Ministack
) -> None:
    folder = package.template.parent
    deploy_stage(folder, cloud.endpoint, SECRET, "again")
    bring_up(folder, cloud.endpoint, "again", DispatchRadiusM="700")
    bring_up(folder, cloud.endpoint, "again", FeedStaleS="60")
    (wake,) = (
        f["Environment"]["Variables"]
        for f in clients(cloud, "lambda").list_functions()["Functions"]
        if f["FunctionName"].startswith("waybill-again-Wake-")
    )
    assert (wake["DISPATCH_RADIUS_M"], wake["FEED_STALE_S"]) == ("700", "60")
    before = len(events(cloud, "again"))
    bring_up(folder, cloud.endpoint, "again")
    assert len(events(cloud, "again")) == before


def delete(cloud: Ministack, stage: str) -> None:
    clients(cloud, "cloudformation").delete_stack(StackName=f"waybill-{stage}")
    wait_for(lambda: stacks(cloud, stage)[0] == "DELETE_COMPLETE", within_s=DEPLOYED_WITHIN_S)


def a_person(cloud: Ministack, stage: str) -> Any:
    """What is kept of one."""
    return clients(cloud, "dynamodb").get_item(
        TableName=f"waybill-{stage}-people", Key={"person_id": {"S": "ana"}}
    )["Item"]["name"]


def keep_a_person(cloud: Ministack, stage: str) -> None:
    clients(cloud, "dynamodb").put_item(
        TableName=f"waybill-{stage}-people",
        Item={"person_id": {"S": "ana"}, "name": {"S": "Ana"}},
    )


def test_a_deleted_stage_comes_back_with_its_rows(package: Package, cloud: Ministack) -> None:
    folder = package.template.parent
    deploy_stage(folder, cloud.endpoint, SECRET, "back")
    keep_a_person(cloud, "back")
    delete(cloud, "back")
    assert a_person(cloud, "back") == {"S": "Ana"}
    at = bring_up(folder, cloud.endpoint, "back")
    assert a_person(cloud, "back") == {"S": "Ana"}
    assert is_healthy(at)
    bring_up(folder, cloud.endpoint, "back", FeedStaleS="60")
    delete(cloud, "back")
    assert a_person(cloud, "back") == {"S": "Ana"}


@pytest.fixture(scope="module")
def broken(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The same package, but that it can't be imported. It is not waited for as long as on AWS."""
    folder = tmp_path_factory.mktemp("broken")
    template = json.loads(package.template.read_text())
    template["Resources"][GUARD]["Properties"]["ServiceTimeout"] = 1
    made = Package(folder / "sam.json", folder / "deployment.zip")
    made.template.write_text(json.dumps(template))
    with zipfile.ZipFile(made.archive, "w") as packed:
        packed.writestr("app.py", "import what_is_not_there\n")
    return made


def test_a_package_that_cannot_start_leaves_nothing_in_the_way(
    package: Package, broken: Package, cloud: Ministack
) -> None:
    put_secret(cloud, "mend", GOOD)
    with pytest.raises(DeployError, match="SettingsChecked"):
        bring_up(broken.template.parent, cloud.endpoint, "mend")
    assert stacks(cloud, "mend") == ["DELETE_COMPLETE"]
    assert made(cloud, "mend") == set()
    assert is_healthy(bring_up(package.template.parent, cloud.endpoint, "mend"))
    with pytest.raises(DeployError, match="SettingsChecked"):
        bring_up(broken.template.parent, cloud.endpoint, "mend")
    assert stacks(cloud, "mend")[0] == "UPDATE_ROLLBACK_COMPLETE"


def test_rows_outlive_a_creation_that_is_undone_once_it_has_taken_them_over(
    package: Package, cloud: Ministack, tmp_path: Path
) -> None:
    deploy_stage(package.template.parent, cloud.endpoint, SECRET, "kept")
    keep_a_person(cloud, "kept")
    delete(cloud, "kept")
    template = json.loads(package.template.read_text())
    template["Resources"]["Fails"] = {
        "Type": "Custom::Fails",
        "DependsOn": [name for name, _ in tables_of(template)],
        "Properties": {
            "ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:none",
            "ServiceTimeout": 1,
        },
    }
    (tmp_path / "sam.json").write_text(json.dumps(template))
    (tmp_path / "deployment.zip").write_bytes(package.archive.read_bytes())
    with pytest.raises(DeployError, match="Fails"):
        bring_up(tmp_path, cloud.endpoint, "kept")
    begun = {each["LogicalResourceId"] for each in events_of_last(cloud, "kept")}
    assert "PeopleTable" in begun
    assert a_person(cloud, "kept") == {"S": "Ana"}


def events_of_last(cloud: Ministack, stage: str) -> list[dict[str, Any]]:
    """What CloudFormation did with the newest of a stage's stacks, which is gone."""
    formation = clients(cloud, "cloudformation")
    listed = formation.list_stacks()["StackSummaries"]
    (newest, *_) = sorted(
        (s for s in listed if s["StackName"] == f"waybill-{stage}"),
        key=lambda s: s["CreationTime"],
        reverse=True,
    )
    pages = formation.get_paginator("describe_stack_events").paginate(StackName=newest["StackId"])
    return [event for page in pages for event in page["StackEvents"]]


def test_the_commands_say_in_a_line_what_is_missing(cloud: Ministack, package: Package) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.deploy", *arguments],
            cwd=HOME,
            env={**os.environ, "AWS_ENDPOINT_URL": cloud.endpoint},
            capture_output=True,
            text=True,
            timeout=DEPLOYED_WITHIN_S,
            check=False,
        )

    deploying = ("stack", "typed", "bucket", "--package", str(package.template.parent))
    refused = run(*deploying)
    assert refused.returncode == 1
    assert refused.stderr.startswith("deploy: The SSM parameter /waybill/typed/secret can't be")
    assert refused.stderr.count("\n") == 1
    made_ = run("secret", "typed")
    assert made_.returncode == 0, made_.stderr
    assert made_.stdout.startswith("arn:aws:secretsmanager:")
    secret.check_secret(clients_of(cloud.endpoint), parameter_name("typed"), {})
    refused = run("stack", "typed", "bucket", "--package", "nowhere")
    assert refused.stderr.endswith("There is no package in nowhere: make package.\n")
    assert run("secret", "typed").returncode == 1
    assert stacks(cloud, "typed") == []
