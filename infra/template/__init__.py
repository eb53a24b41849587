"""The CloudFormation template: what is merged into the one that `chalice package` makes.

Tables come from the models, paths and the gateway's own answers from infra.resources, parameters
from the settings that the application reads. `overlay()` puts the parts together.
"""

from infra.template.overlay import finish, overlay

__all__ = ["finish", "overlay"]
