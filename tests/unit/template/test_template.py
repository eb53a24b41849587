"""What the template promises, read from the resources that CloudFormation gets."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from app import app
from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR
from chalicelib.edge.aws.metrics import LATENESS, NAMESPACE, QUEUE
from chalicelib.edge.sqs import BATCH_SIZE
from chalicelib.edge.webhook_sends import BATCH_SIZE as SEND_BATCH_SIZE
from chalicelib.services.messaging.outbox import COMMIT_WITHIN
from chalicelib.services.sweeper import PASS_INTERVAL
from chalicelib.services.wakeup_handler import HELD_PAUSE, MAX_HELD_TRIES
from chalicelib.settings import Settings
from chalicelib.store.tables import MODELS, TTL_ATTRIBUTES, get_short_name
from infra.local.moto_engine import run_moto
from infra.package.project import CONFIG, HOME, PackagingOptions, lay_out
from infra.package.template import without_packaging
from infra.resources.aws_clients import make_client
from infra.resources.gateway_responses import GATEWAY_RESPONSES
from infra.resources.tables import MAX_RECEIVES, VISIBILITY_TIMEOUT_S, create_all
from infra.resources.websocket_paths import PATHS
from infra.template.functions import CHECK, FUNCTIONS, HANDLERS
from infra.template.guard import GUARD
from infra.template.intrinsics import Value
from infra.template.parameters import list_settings, tunable_settings
from tests.contracts import CONTRACTS

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111111111111",
    "AWS::URLSuffix": "amazonaws.com",
}


def of_type(resources: Value, kind: str) -> Value:
    return {name: each for name, each in resources.items() if each["Type"] == kind}


def properties(resources: Value, name: str) -> Value:
    found: Value = resources[name]["Properties"]
    return found


def worded(value: Any, **known: str) -> Any:
    """A value with its `Fn::Sub` and `Ref` filled in; what is not known stays a name."""
    names = {**PSEUDO, **known}
    if isinstance(value, dict) and set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        return re.sub(r"\$\{([^}]+)\}", lambda m: names.get(m[1], m[0]), value["Fn::Sub"])
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return names.get(value["Ref"], value["Ref"])
    if isinstance(value, dict):
        return {k: worded(v, **known) for k, v in value.items()}
    return [worded(v, **known) for v in value] if isinstance(value, list) else value


def physical_names(resources: Value, stage: str) -> set[str]:
    """Every name that the template gives, instead of leaving it to AWS."""
    keys = ("TableName", "QueueName", "LogGroupName", "Name", "RoleName")
    found = {
        worded(each["Properties"][key], Stage=stage)
        for each in resources.values()
        for key in keys
        # A filter's LogGroupName says whose lines it counts: a group that is named elsewhere.
        if key in each.get("Properties", {}) and each["Type"] != "AWS::Logs::MetricFilter"
    }
    for function in of_type(resources, "AWS::Lambda::Function").values():
        assert "FunctionName" not in function["Properties"]  # left to AWS
    return {name for name in found if isinstance(name, str)}


def needs(resources: Value, name: str) -> set[str]:
    """The resources that must be there before a resource is made."""
    text = json.dumps(resources[name].get("Properties", {}))
    named = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)', text)
    found = {part for parts in named for part in parts} & resources.keys()
    waits = resources[name].get("DependsOn", [])
    return found | set([waits] if isinstance(waits, str) else waits)


def statements(resources: Value, function: str) -> list[Value]:
    """What a function's role allows."""
    role = properties(resources, function)["Role"]["Fn::GetAtt"][0]
    policies = properties(resources, role)["Policies"]
    return [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]


def test_every_handler_of_the_app_is_a_function_that_is_looked_after(resources: Value) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    assert functions.keys() == {function.logical_id for function in FUNCTIONS}
    assert {f["Properties"]["Handler"] for f in functions.values()} == {
        "app.app",
        *(f"app.{source.name}" for source in app.event_sources),
        *(f"app.{handler.name}" for handler in app.websocket_handlers.values()),
        *(f"app.{function.name}" for function in app.pure_lambda_functions),
    }


def test_functions_run_on_arm_with_room_and_keep_their_logs_for_a_while(resources: Value) -> None:
    for function in FUNCTIONS:
        found = properties(resources, function.logical_id)
        assert found["Architectures"] == ["arm64"]
        assert found["MemorySize"] >= 512
        group = found["LoggingConfig"]["LogGroup"]["Ref"]
        assert properties(resources, group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_a_sweep_has_time_for_its_pass_ends_before_the_next_and_is_not_repeated(
    resources: Value,
) -> None:
    timeout = timedelta(seconds=properties(resources, "Sweep")["Timeout"])
    assert 2 * PASS_INTERVAL < timeout < timedelta(minutes=1)
    again = of_type(resources, "AWS::Lambda::EventInvokeConfig")
    assert [each["Properties"]["MaximumRetryAttempts"] for each in again.values()] == [0]
    (rule,) = of_type(resources, "AWS::Events::Rule").values()
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"


def test_functions_behind_the_gateway_end_before_it_gives_up(resources: Value) -> None:
    """AWS quota: 29 s."""
    for name in ("APIHandler", "WebsocketConnect", "WebsocketMessage", "WebsocketDisconnect"):
        assert properties(resources, name)["Timeout"] <= 29


def test_tables_are_those_that_the_local_run_makes(resources: Value) -> None:
    """As an engine describes the tables that were made on it, not as it was asked for them."""
    tables = of_type(resources, "AWS::DynamoDB::Table")
    assert len(tables) == len(MODELS)
    with run_moto():
        create_all("waybill-x", "waybill-x-wakeups", None)
        dynamodb = make_client("dynamodb", None)
        for table in tables.values():
            wanted = worded(table["Properties"], Stage="x")
            made = dynamodb.describe_table(TableName=wanted["TableName"])["Table"]
            assert made["KeySchema"] == wanted["KeySchema"]
            assert _by_name(made["AttributeDefinitions"]) == _by_name(
                wanted["AttributeDefinitions"]
            )
            assert _indexes(made) == _indexes(wanted)
            assert wanted["BillingMode"] == "PAY_PER_REQUEST"
            ttl = dynamodb.describe_time_to_live(TableName=wanted["TableName"])
            expires = ttl["TimeToLiveDescription"].get("AttributeName")
            assert wanted.get("TimeToLiveSpecification", {}).get("AttributeName") == expires


def test_rows_that_expire_do(resources: Value) -> None:
    for name, attribute in TTL_ATTRIBUTES.items():
        (table,) = (
            each["Properties"]
            for each in of_type(resources, "AWS::DynamoDB::Table").values()
            if worded(each["Properties"]["TableName"], Stage="x") == f"waybill-x-{name}"
        )
        assert table["TimeToLiveSpecification"] == {"AttributeName": attribute, "Enabled": True}


def test_tables_outlive_the_stack_and_can_be_put_back(resources: Value) -> None:
    for table in of_type(resources, "AWS::DynamoDB::Table").values():
        assert table["DeletionPolicy"] == "RetainExceptOnCreate"
        assert table["UpdateReplacePolicy"] == "Retain"
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": True
        }


def test_table_keys_put_the_partition_first(resources: Value) -> None:
    for table in of_type(resources, "AWS::DynamoDB::Table").values():
        for keyed in [table["Properties"], *table["Properties"].get("GlobalSecondaryIndexes", [])]:
            kinds = [key["KeyType"] for key in keyed["KeySchema"]]
            assert kinds in (["HASH"], ["HASH", "RANGE"])


@pytest.mark.parametrize(
    ("function", "name", "dead_letters"),
    [
        ("Wake", "WakeupQueue", "WakeupDeadLetters"),
        ("SendWebhooks", "WebhookQueue", "WebhookDeadLetters"),
    ],
)
def test_a_message_is_hidden_longer_than_its_handler_runs_and_fails_to_a_queue(
    resources: Value, function: str, name: str, dead_letters: str
) -> None:
    queue = properties(resources, name)
    assert queue["VisibilityTimeout"] > properties(resources, function)["Timeout"]
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead_letters, "Arn"]},
        "maxReceiveCount": MAX_RECEIVES,
    }
    dead = properties(resources, dead_letters)
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"] >= 4 * 24 * 3600


@pytest.mark.parametrize(
    ("function", "queue", "batch_size"),
    [("Wake", "WakeupQueue", BATCH_SIZE), ("SendWebhooks", "WebhookQueue", SEND_BATCH_SIZE)],
)
def test_one_failed_message_of_a_batch_comes_again_alone(
    resources: Value, function: str, queue: str, batch_size: int
) -> None:
    found = _mapping_of(resources, function)
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert found["EventSourceArn"] == {"Fn::Sub": f"${{{queue}.Arn}}"}
    assert found["BatchSize"] == batch_size


def _mapping_of(resources: Value, function: str) -> Value:
    """How a queue feeds a function."""
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    found: list[Value] = [each["Properties"] for each in mappings]
    (one,) = (each for each in found if each["FunctionName"] == {"Ref": function})
    return one


@pytest.mark.parametrize(
    ("function", "limit"), [("Wake", "WakeConcurrency"), ("SendWebhooks", "WebhookConcurrency")]
)
def test_queues_never_take_all_that_an_account_may_run_at_once(
    template: Value, resources: Value, function: str, limit: str
) -> None:
    """AWS: what is throttled counts as received."""
    scaling = _mapping_of(resources, function)["ScalingConfig"]
    assert scaling == {"MaximumConcurrency": {"Ref": limit}}
    parameter = template["Parameters"][limit]
    assert (parameter["MinValue"], parameter["MaxValue"]) == (2, 1000)  # AWS's own limits
    assert parameter["Default"] <= 100


def test_late_wakeups_are_those_that_the_handler_says_are_late(resources: Value) -> None:
    """The queue's age of the oldest message may count the time that it was delayed on purpose."""
    alarm = properties(resources, "LateWakeupsAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, LATENESS)
    (dimension,) = alarm["Dimensions"]
    variables = properties(resources, "Wake")["Environment"]["Variables"]
    assert dimension == {"Name": QUEUE, "Value": variables["QUEUE_NAME"]}


def test_a_wakeup_is_tried_for_less_time_than_a_mailbox_remembers_it() -> None:
    received = timedelta(seconds=MAX_RECEIVES * VISIBILITY_TIMEOUT_S)
    sent_on = COMMIT_WITHIN + MAX_HELD_TRIES * HELD_PAUSE
    assert received + sent_on < APPLIED_KEPT_FOR


def test_the_websocket_stage_deploys_itself(template: Value, resources: Value) -> None:
    stage = properties(resources, "WebsocketAPIStage")
    assert stage["AutoDeploy"] is True
    assert "DeploymentId" not in stage
    assert "WebsocketAPIDeployment" not in json.dumps(template)


def test_access_logs_and_traces_hold_no_query_no_path_and_no_body(resources: Value) -> None:
    socket = properties(resources, "WebsocketAPIStage")
    rest = properties(resources, "RestAPIapiStage")
    formats = [socket["AccessLogSettings"]["Format"], rest["AccessLogSetting"]["Format"]]
    for text in formats:
        assert isinstance(json.loads(text), dict)
        assert not re.search(r"querystring|header|\$context\.path|authorizer|body", text, re.I)
    assert socket["DefaultRouteSettings"]["DataTraceEnabled"] is False
    assert [each["DataTraceEnabled"] for each in rest["MethodSettings"]] == [False]
    (distribution,) = of_type(resources, "AWS::CloudFront::Distribution").values()
    assert "Logging" not in distribution["Properties"]["DistributionConfig"]


def test_both_apis_are_throttled(resources: Value) -> None:
    route = properties(resources, "WebsocketAPIStage")["DefaultRouteSettings"]
    assert {route["ThrottlingRateLimit"]["Ref"], route["ThrottlingBurstLimit"]["Ref"]} == {
        "MessagesPerSecond"
    }
    (method,) = properties(resources, "RestAPIapiStage")["MethodSettings"]
    assert (method["ResourcePath"], method["HttpMethod"]) == ("/*", "*")
    assert method["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}


def test_the_gateways_own_answers_are_worded_as_locally(resources: Value) -> None:
    body = properties(resources, "RestAPI")["Body"]
    found = body["x-amazon-apigateway-gateway-responses"]
    assert found.keys() == GATEWAY_RESPONSES.keys()
    for name, (status, text) in GATEWAY_RESPONSES.items():
        assert found[name]["responseTemplates"] == {"application/json": text}
        assert found[name].get("statusCode") == (str(status) if status else None)
        plain = json.loads(text.replace("$context.error.messageString", '"x"'))
        assert plain.keys() == {"error", "message"}


def test_every_rest_route_of_the_app_is_served(resources: Value) -> None:
    paths = properties(resources, "RestAPI")["Body"]["paths"]
    served = {(path, verb.upper()) for path, verbs in paths.items() for verb in verbs}
    routes = {(path, verb) for path, verbs in app.routes.items() for verb in verbs}
    assert routes <= served


def test_every_path_has_any_method_and_nothing_is_left_to_the_gateway(resources: Value) -> None:
    """API Gateway refuses what it does not know with 403, and with 403 of another kind whoever
    sends `Authorization`: unknown paths and methods are the application's."""
    paths = properties(resources, "RestAPI")["Body"]["paths"]
    assert {"/", "/{proxy+}"} <= paths.keys()
    for path, verbs in paths.items():
        found = verbs["x-amazon-apigateway-any-method"]
        names = [each["name"] for each in found["parameters"]]
        assert names == [name.rstrip("+") for name in re.findall(r"{(.*?)}", path)]
        integrations = [each["x-amazon-apigateway-integration"] for each in verbs.values()]
        assert all(each == integrations[0] for each in integrations)
        assert found["x-amazon-apigateway-integration"]["type"] == "aws_proxy"
        assert not any("security" in each for each in verbs.values())  # asked before a 405


def test_the_gateways_own_answers_may_be_read_by_any_page(resources: Value) -> None:
    body = properties(resources, "RestAPI")["Body"]
    for name, found in body["x-amazon-apigateway-gateway-responses"].items():
        parameters = found["responseParameters"]
        assert parameters["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'", name
        exposed = parameters["gatewayresponse.header.Access-Control-Expose-Headers"]
        assert "Retry-After" in exposed


def test_no_answer_of_the_gateway_quotes_the_request(resources: Value) -> None:
    """What AWS says of an unknown route quotes `Authorization`; the type of that is not certain."""
    for name in ("MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE", "DEFAULT_4XX", "DEFAULT_5XX"):
        assert "$context" not in GATEWAY_RESPONSES[name][1]


def test_every_alarm_reaches_the_topic_and_the_important_ones_exist(resources: Value) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    for alarm in alarms.values():
        for when in ("AlarmActions", "OKActions"):
            (action,) = alarm["Properties"][when]
            assert action["Fn::If"][1] == {"Ref": "AlarmTopicArn"}
    watched = {
        (alarm["Properties"].get("MetricName"), json.dumps(dimension["Value"]))
        for alarm in alarms.values()
        for dimension in alarm["Properties"].get("Dimensions", ())
    }
    for function in HANDLERS:
        for metric in ("Errors", "Throttles"):
            assert (metric, json.dumps({"Ref": function.logical_id})) in watched
    assert (
        "ApproximateNumberOfMessagesVisible",
        json.dumps({"Fn::GetAtt": ["WakeupDeadLetters", "QueueName"]}),
    ) in watched
    assert (
        "ApproximateNumberOfMessagesVisible",
        json.dumps({"Fn::GetAtt": ["WebhookDeadLetters", "QueueName"]}),
    ) in watched
    assert "5XXError" in {metric for metric, _ in watched}


def test_no_alarm_rings_for_an_expired_token(resources: Value) -> None:
    """A handshake that is refused is an IntegrationError, and one app with an old token is many."""
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    metrics = {alarm["Properties"].get("MetricName") for alarm in alarms}
    assert not metrics & {"IntegrationError", "ClientError", "4XXError"}
    assert "ExecutionError" in metrics


def test_an_alarm_hears_of_every_table_that_is_throttled_and_of_no_other_stage(
    resources: Value,
) -> None:
    (metric,) = properties(resources, "TableThrottlesAlarm")["Metrics"]
    query = worded(metric["Expression"], Stage="x")
    assert query.startswith("SELECT SUM(ThrottledRequests)")
    assert len(query) <= 2048  # CloudWatch: an expression's length
    named = set(re.findall(r"TableName = '([^']+)'", query))
    assert named == {
        worded(table["Properties"]["TableName"], Stage="x")
        for table in of_type(resources, "AWS::DynamoDB::Table").values()
    }


def test_what_is_set_aside_to_be_looked_at_rings_once(resources: Value) -> None:
    alarm = properties(resources, "ParkedAlarm")
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (0, 1)
    query = alarm["Metrics"][0]["Expression"]["Fn::Sub"]
    counted = of_type(resources, "AWS::Logs::MetricFilter").values()
    groups = {each["Properties"]["LogGroupName"]["Ref"] for each in counted}
    assert {"WakeLogs", "APIHandlerLogs", "WebsocketMessageLogs", "SweepLogs"} <= groups
    for each in counted:
        (made,) = each["Properties"]["MetricTransformations"]
        namespace = made["MetricNamespace"]["Fn::Sub"]
        assert query == f'SELECT SUM({made["MetricName"]}) FROM "{namespace}"'
        # As Lambda's own handler writes a line: [ERROR] time request text.
        assert each["Properties"]["FilterPattern"] == '"[ERROR]" "parked:"'
        assert "DefaultValue" not in made  # no line, no metric, no charge


def test_no_function_may_touch_what_is_not_named(resources: Value) -> None:
    for function in FUNCTIONS:
        for statement in statements(resources, function.logical_id):
            assert statement["Effect"] == "Allow"
            assert all("*" not in action for action in statement["Action"])
            for resource in statement["Resource"]:
                arn = worded(resource, Stage="x").split(":", 5)
                assert arn[:2] == ["arn", "aws"]
                assert "*" not in ":".join(arn[:5])
                # AWS makes log stream names and connection ids; nobody can name them, nor files.
                unnamed = re.sub(r"(:\*|/@connections/\*|/(uploads|kept)/\*)$", "", arn[5])
                assert "*" not in unnamed


def test_the_bucket_is_nobodys_to_read_and_empties_itself(resources: Value) -> None:
    bucket = properties(resources, "ProofBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketName" not in bucket  # the world's: another stage's or account's may have it
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules} == {
        "uploads/": 1,
        "kept/": 45,
    }
    assert all(rule["Status"] == "Enabled" for rule in rules)
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    [cors] = bucket["CorsConfiguration"]["CorsRules"]
    assert set(cors["AllowedMethods"]) == {"GET", "HEAD", "POST"}
    [statement] = properties(resources, "ProofBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_two_functions_may_sign_for_files_and_none_may_delete_them(resources: Value) -> None:
    allowed = {
        function.logical_id: sorted(
            action
            for statement in statements(resources, function.logical_id)
            for action in statement["Action"]
            if action.startswith("s3:")
        )
        for function in FUNCTIONS
    }
    files = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    assert {name: actions for name, actions in allowed.items() if actions} == {
        "APIHandler": files,
        "WebsocketMessage": files,
    }


def test_nothing_else_may_do_anything_but_the_gateways_own_role(resources: Value) -> None:
    """Its policy is AWS's, for the one role of a region by which API Gateway logs."""
    roles = of_type(resources, "AWS::IAM::Role")
    of_functions = {
        properties(resources, function.logical_id)["Role"]["Fn::GetAtt"][0]
        for function in FUNCTIONS
    }
    assert roles.keys() - of_functions == {"GatewayAccountRole"}
    assert [name for name, role in roles.items() if "ManagedPolicyArns" in role["Properties"]] == [
        "GatewayAccountRole"
    ]
    assert of_type(resources, "AWS::IAM::Policy") == {}
    for permission in of_type(resources, "AWS::Lambda::Permission").values():
        assert permission["Properties"]["SourceArn"]


def test_nobody_scans_and_each_function_has_a_role_of_its_own(resources: Value) -> None:
    roles = set()
    for function in FUNCTIONS:
        text = json.dumps(statements(resources, function.logical_id))
        assert "Scan" not in text
        assert "CreateTable" not in text
        assert f"/waybill/${{Stage}}/{function.name}:*" in text
        roles.add(properties(resources, function.logical_id)["Role"]["Fn::GetAtt"][0])
    assert len(roles) == len(FUNCTIONS)


def test_whoever_posts_may_and_who_never_posts_may_not(resources: Value) -> None:
    may = {
        function.name
        for function in FUNCTIONS
        if "@connections" in json.dumps(statements(resources, function.logical_id))
    }
    assert may == {"api_handler", "websocket_message", "wake", "send_webhooks"}


def test_two_stages_share_no_name(resources: Value) -> None:
    one, two = physical_names(resources, "one"), physical_names(resources, "two")
    assert len(one) > len(MODELS) + 2
    assert one & two == set()


def test_functions_find_the_tables_and_the_queue_of_their_stage(resources: Value) -> None:
    names = physical_names(resources, "one")
    for function in FUNCTIONS:
        variables = properties(resources, function.logical_id)["Environment"]["Variables"]
        env = worded(variables, Stage="one")
        assert {env["QUEUE_NAME"], env["WEBHOOK_QUEUE_NAME"]} <= names
        assert {f"{env['TABLE_PREFIX']}-{get_short_name(model)}" for model in MODELS} <= names


def test_what_is_not_given_is_the_settings_default(resources: Value) -> None:
    """Lambda's environment has no absent values, only empty ones."""
    variables = properties(resources, "Wake")["Environment"]["Variables"]
    assert set(list_settings()) - set(variables) <= {
        "AWS_REGION",  # Lambda's
        "AWS_DEFAULT_REGION",  # Lambda's
        "AWS_ENDPOINT_URL",  # local runs
        "LOCALSTACK_HOST",  # local runs
        "WEBHOOKS_TO_LOOPBACK",  # local runs
    }
    secret = "-" * 40
    names = {"QUEUE_NAME": "waybill-wakeups", "WEBHOOK_QUEUE_NAME": "waybill-webhooks"}
    given = {"JWT_SECRET": secret, "TABLE_PREFIX": "waybill", **names}
    deployed = Settings.from_env({**dict.fromkeys(variables, ""), **given})
    assert deployed == Settings.from_env({"JWT_SECRET": secret})


def test_every_tunable_setting_is_a_parameter(template: Value) -> None:
    """And is the application's default, but for the heartbeat, which only an edge asks for."""
    for parameter in tunable_settings().values():
        default = "480" if parameter == "HeartbeatS" else ""
        assert template["Parameters"][parameter]["Default"] == default


def test_connections_are_posted_to_where_the_template_says(resources: Value) -> None:
    variables = properties(resources, "APIHandler")["Environment"]["Variables"]
    url = worded(variables["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"], WebsocketAPI="abc")
    assert url == "https://abc.execute-api.us-east-1.amazonaws.com/api"


def test_nothing_is_touched_before_the_settings_are_checked(resources: Value) -> None:
    """Whatever is not of the check waits for it, itself or through what it refers to."""
    first = {GUARD, CHECK.logical_id, f"{CHECK.logical_id}Role", CHECK.log_group}
    waits = {GUARD: True}

    def wait(name: str) -> bool:
        if name not in waits:
            waits[name] = False
            waits[name] = any(wait(other) for other in needs(resources, name))
        return waits[name]

    assert {name for name in resources if not wait(name)} == first - {GUARD}
    assert needs(resources, GUARD) == {CHECK.logical_id}
    assert needs(resources, CHECK.logical_id) == first - {GUARD, CHECK.logical_id}


def test_a_check_that_cannot_answer_leaves_a_stack_that_can_be_deleted(resources: Value) -> None:
    """A package that can't start answers no Delete either."""
    assert resources[GUARD]["DeletionPolicy"] == "Retain"
    assert resources[GUARD]["UpdateReplacePolicy"] == "Retain"


def test_the_answer_is_waited_for_as_long_as_lambda_tries(
    template: Value, resources: Value
) -> None:
    """Three tries, the second a minute after the first, the third two minutes after that."""
    timeout = properties(resources, CHECK.logical_id)["Timeout"]
    assert properties(resources, GUARD)["ServiceTimeout"] >= 60 + 120 + 3 * timeout


def test_tables_with_indexes_are_made_one_after_another(resources: Value) -> None:
    tables = of_type(resources, "AWS::DynamoDB::Table")
    indexed = {n for n, t in tables.items() if "GlobalSecondaryIndexes" in t["Properties"]}
    waits_for = {name: needs(resources, name) & indexed for name in indexed}
    assert sorted(map(len, waits_for.values())) == [0, *[1] * (len(indexed) - 1)]
    assert len(set().union(*waits_for.values())) == len(indexed) - 1  # a chain, no star


def test_the_websocket_stage_waits_for_its_routes(resources: Value) -> None:
    routes = of_type(resources, "AWS::ApiGatewayV2::Route").keys()
    assert len(routes) == 3
    assert routes <= needs(resources, "WebsocketAPIStage")


def test_a_role_of_the_account_is_not_replaced_unasked(template: Value) -> None:
    assert template["Parameters"]["GatewayLogRole"]["Default"] == "existing"


@pytest.mark.parametrize(
    ("given", "needed"), [("Domain", "CertificateArn"), ("CertificateArn", "Domain")]
)
def test_one_without_the_other_is_refused(template: Value, given: str, needed: str) -> None:
    def is_set(name: str) -> Value:
        return {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]}

    assert {
        (json.dumps(rule.get("RuleCondition")), json.dumps(each["Assert"]))
        for rule in template["Rules"].values()
        for each in rule["Assertions"]
    } >= {(json.dumps(is_set(given)), json.dumps(is_set(needed)))}


def test_the_settings_are_checked_again_when_anything_of_them_changes(
    template: Value, resources: Value
) -> None:
    checked = properties(resources, CHECK.logical_id)["Environment"]["Variables"]
    assert checked.keys() == properties(resources, "Wake")["Environment"]["Variables"].keys()
    asked = {
        name
        for value in checked.values()
        for name in re.findall(r"\w+", json.dumps(value))
        if name in template["Parameters"]
    }
    about = properties(resources, GUARD)["About"]
    assert {each["Ref"] for name, each in about.items() if name != "Package"} == asked - {"Stage"}


def test_secrets_are_references_and_a_missing_one_stops_the_change_set(
    template: Value, resources: Value
) -> None:
    assert template["Parameters"]["Secret"]["Type"] == "AWS::SSM::Parameter::Value<String>"
    assert "Default" not in template["Parameters"]["Secret"]
    variables = properties(resources, "APIHandler")["Environment"]["Variables"]
    for name in ("JWT_SECRET", "PAYMENT_WEBHOOK_SECRET"):
        assert "{{resolve:secretsmanager:${Secret}:SecretString:" + name in json.dumps(
            variables[name]
        )


def test_keys_by_url_need_the_package_for_it(template: Value) -> None:
    assert "PackagedForSecrets" in template["Rules"]
    assert "cryptography" in json.dumps(template["Rules"]["PackagedForSecrets"])


def test_keys_by_url_are_allowed_by_the_package_for_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = tmp_path_factory.mktemp("jwks") / "project"
    lay_out(project, PackagingOptions(jwks=True))
    assert "PackagedForSecrets" not in without_packaging(app, project)["Rules"]
    assert "cryptography" in (project / "requirements.txt").read_text()


def test_rest_and_sockets_share_a_host(resources: Value) -> None:
    (distribution,) = of_type(resources, "AWS::CloudFront::Distribution").values()
    config = distribution["Properties"]["DistributionConfig"]
    behaviours = config["CacheBehaviors"]
    assert behaviours[-1]["PathPattern"] == "/api/*"
    assert behaviours[-1]["TargetOriginId"] == "rest"
    socket = [b for b in behaviours if b["TargetOriginId"] == "websocket"]
    for behaviour in [*socket, config["DefaultCacheBehavior"]]:
        assert behaviour["FunctionAssociations"][0]["EventType"] == "viewer-request"
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
    assert len(behaviours) < 25  # CloudFront quota


def test_no_rest_route_hides_behind_a_socket_path(resources: Value) -> None:
    (distribution,) = of_type(resources, "AWS::CloudFront::Distribution").values()
    behaviours = distribution["Properties"]["DistributionConfig"]["CacheBehaviors"]
    taken = [b["PathPattern"] for b in behaviours if b["TargetOriginId"] == "websocket"]
    for route in app.routes.keys() - {"/"}:  # where nothing is
        path = f"/api{route}"
        for pattern in taken:
            same = pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))
            assert not same


def test_every_contract_has_a_path() -> None:
    assert CONTRACTS.keys() <= {rule.query["contract"] for rule in PATHS}


def test_the_configuration_names_every_function() -> None:
    config = json.loads((HOME / CONFIG).read_text())["stages"]["api"]
    assert config["autogen_policy"] is False
    assert config["lambda_functions"].keys() == {function.name for function in FUNCTIONS}


def _by_name(definitions: list[Value]) -> list[Value]:
    return sorted(definitions, key=lambda each: str(each["AttributeName"]))


def _indexes(table: Value) -> dict[str, Any]:
    return {
        index["IndexName"]: (index["KeySchema"], index["Projection"])
        for index in table.get("GlobalSecondaryIndexes", [])
    }
