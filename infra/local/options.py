"""Options of a local run, read from the environment; and the environment of the application."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.settings import BadSetting
from infra.resources.aws_clients import REGION
from infra.resources.stage import API_STAGE, HEARTBEAT_S

ENGINES = ("ministack", "moto")
PROOF_BUCKET = "waybill-proof"
# A shell that is set up for AWS must not lead a local run there.
_LEADS_ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "LOCALSTACK_HOST",
)


@dataclass(frozen=True)
class LocalOptions:
    """Settings of the local runner. `endpoint` is set when somebody else runs the engine."""

    port: int = 8000
    engine_port: int = 4566
    engine: str = "ministack"
    endpoint: str | None = None
    state_dir: Path = Path(".local")
    app_module: str = "app"
    region: str = REGION

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> LocalOptions:
        """Read the options. Raises BadSetting with one line that says what to do."""
        engine = env.get("ENGINE") or "ministack"
        if engine not in ENGINES:
            raise BadSetting(f"ENGINE takes {' or '.join(ENGINES)}, not {engine!r}.")
        return cls(
            port=_read_port(env, "PORT", 8000),
            engine_port=_read_port(env, "ENGINE_PORT", 4566),
            engine=engine,
            endpoint=None if engine == "moto" else _read_endpoint(env),
            state_dir=Path(env.get("STATE_DIR") or ".local").absolute(),
            app_module=env.get("APP_MODULE") or "app",
            region=env.get("AWS_DEFAULT_REGION") or env.get("AWS_REGION") or REGION,
        )

    @property
    def url(self) -> str:
        """The URL at which clients find the application."""
        return f"http://127.0.0.1:{self.port}"

    def make_state_dir(self) -> None:
        """Make the folder for what is kept. Raises BadSetting when there can't be one."""
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadSetting(
                f"STATE_DIR {self.state_dir} can't be used ({error.strerror}): name another folder."
            ) from error


def export_environment(
    options: LocalOptions, endpoint: str | None, secret: str, env: MutableMapping[str, str]
) -> None:
    """Tell the application and its SDKs, which read the environment, where they run."""
    for name in _LEADS_ELSEWHERE:
        env.pop(name, None)
    if endpoint is not None:
        env["AWS_ENDPOINT_URL"] = endpoint
    env["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = f"{options.url}/{API_STAGE}"
    env["AWS_DEFAULT_REGION"] = env["AWS_REGION"] = options.region
    env.setdefault("HEARTBEAT_S", HEARTBEAT_S)
    env.setdefault("WEBHOOKS_TO_LOOPBACK", "true")  # receivers are tried out on this machine, too
    # moto is in this process alone: nobody could post a file to it. What an engine of somebody
    # else's serves is theirs to say.
    if options.engine == "ministack" and options.endpoint is None:
        env.setdefault("PROOF_BUCKET", PROOF_BUCKET)
    env["AWS_EC2_METADATA_DISABLED"] = "true"
    env.setdefault("AWS_ACCESS_KEY_ID", "local")
    env.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    # Settings want one of the two. Beside JWKS a secret would only seem to be of use.
    if not env.get("JWT_JWKS_URL") and not env.get("JWT_SECRET"):
        env["JWT_SECRET"] = secret


def _read_endpoint(env: Mapping[str, str]) -> str | None:
    if given := env.get("ENDPOINT"):
        if not given.startswith(("http://", "https://")):
            raise BadSetting(f"ENDPOINT takes a URL like http://127.0.0.1:4566, not {given!r}.")
        return given.rstrip("/")
    if env.get("LOCALSTACK_HOST"):
        from localstack_client.config import get_service_endpoint

        return str(get_service_endpoint("dynamodb", env["LOCALSTACK_HOST"]))
    return None


def _read_port(env: Mapping[str, str], name: str, default: int) -> int:
    given = env.get(name) or str(default)
    if given.isascii() and given.isdigit() and 1 <= int(given) <= 65535:
        return int(given)
    raise BadSetting(f"{name} takes a port from 1 to 65535, not {given!r}.")
