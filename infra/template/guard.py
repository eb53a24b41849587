"""What everything else of a stack waits for: the settings and the secret could be used.

CloudFormation looks at `{{resolve:secretsmanager:…}}` only when it comes to a resource that holds
one, and never at what it says. So a function of ours is made first, with the settings of all the
others, and asked; if it can't be made, or says no, nothing else has been touched.
"""

from __future__ import annotations

from infra.template.functions import CHECK
from infra.template.intrinsics import Value, att, ref
from infra.template.parameters import SECRET, tunable

GUARD = "SettingsChecked"
_FIRST = {GUARD, CHECK.logical_id, CHECK.log_group, f"{CHECK.logical_id}Role"}
_WITHIN_S = 60  # CloudFormation would wait for an hour


def resources() -> Value:
    """The question. It is asked again when anything of what is asked about changes."""
    return {
        GUARD: {
            "Type": "Custom::SettingsCheck",
            "Properties": {
                "ServiceToken": att(CHECK.logical_id, "Arn"),
                "ServiceTimeout": _WITHIN_S,
                "About": {name: ref(name) for name in (SECRET, *tunable().values())},
            },
        },
    }


def guarded(resources: Value, package: str) -> Value:
    """The resources, all waiting for the answer. `package`: what tells one zip from another."""
    asked = resources[GUARD]["Properties"]
    about = {**asked["About"], "Package": package}
    return {
        **{
            name: each if name in _FIRST else {**each, "DependsOn": GUARD}
            for name, each in resources.items()
        },
        GUARD: {**resources[GUARD], "Properties": {**asked, "About": about}},
    }
