"""The finished template: from `chalice package`, or the same without packaging anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from chalice.app import Chalice
from chalice.awsclient import TypedAWSClient
from chalice.config import Config
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import (
    BaseDeployStep,
    BuildStage,
    InjectDefaults,
    PolicyGenerator,
    SwaggerBuilder,
)
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.package import PackageOptions, SAMTemplateGenerator, TemplateDeepMerger
from chalice.policy import AppPolicyGenerator
from chalice.utils import OSUtils

from infra.package.project import CONFIG, OVERLAY, STAGE
from infra.template import finish

ZIP = "./deployment.zip"


def read_template(packaged: Path, digest: str) -> dict[str, Any]:
    """Read what `chalice package` wrote, and finish it for a zip with this digest."""
    return finish(json.loads(packaged.read_text()), digest)


def without_packaging(app: Chalice, project: Path, digest: str = "") -> dict[str, Any]:
    """Make the same template from a laid out project, by the same parts of Chalice, without pip."""
    config = Config(
        chalice_stage=STAGE,
        user_provided_params={"chalice_app": app, "project_dir": str(project)},
        config_from_disk=json.loads((project / CONFIG).read_text()),
    )
    resources = ApplicationGraphBuilder().build(config, STAGE)
    steps = [
        InjectDefaults(),
        _NamesTheZip(),
        PolicyGenerator(policy_gen=AppPolicyGenerator(OSUtils()), osutils=OSUtils()),
        SwaggerBuilder(swagger_generator=CFNSwaggerGenerator()),
    ]
    order = DependencyBuilder().build_dependencies
    BuildStage(steps).execute(config, order(resources))
    made = SAMTemplateGenerator(config, PackageOptions(cast(TypedAWSClient, _Services()))).generate(
        order(resources)
    )
    overlay = json.loads((project / OVERLAY).read_text())
    # Through JSON, as it is written: Chalice's template shares objects.
    return finish(json.loads(json.dumps(TemplateDeepMerger().merge(overlay, made))), digest)


class _NamesTheZip(BaseDeployStep):  # type: ignore[misc,unused-ignore]
    """The build step that writes the zip's name; Chalice's own would make the zip."""

    def handle_deploymentpackage(self, config: Config, resource: models.DeploymentPackage) -> None:
        resource.filename = ZIP


class _Services:
    """The two answers that Chalice wants of an AWS client when it writes a template."""

    region_name = "us-east-1"

    def endpoint_dns_suffix(self, service: str, region: str) -> str:
        return "amazonaws.com"

    def service_principal(self, service: str, region: str, suffix: str) -> str:
        return f"{service}.amazonaws.com"
