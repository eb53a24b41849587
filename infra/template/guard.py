"""The guard that everything else of a stack waits for: are settings and secret of use?

CloudFormation looks at `{{resolve:secretsmanager:…}}` only when it comes to a resource that holds
one, and never at what it says. So a function of ours is made first, with the settings of all the
others, and asked; if it can't be made, or says no, nothing else has been touched.
"""

from __future__ import annotations

from infra.template.functions import CHECK
from infra.template.intrinsics import Value, att, ref
from infra.template.parameters import SECRET, tunable_settings

GUARD = "SettingsChecked"
_FIRST = {GUARD, CHECK.logical_id, CHECK.log_group, f"{CHECK.logical_id}Role"}
# CloudFormation would wait for an hour. Lambda tries an event that failed, or that it had no room
# for, again after 1 min and after another 2 min, with up to 20 s for each of the three.
_WITHIN_S = 60 + 120 + 3 * 20


def make_resources() -> Value:
    """Return the question. It is asked again when anything of what is asked about changes."""
    return {
        GUARD: {
            "Type": "Custom::SettingsCheck",
            # There is nothing to delete. A function that can't start would not answer that either,
            # and leave a stack that can be neither used nor deleted.
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "ServiceToken": att(CHECK.logical_id, "Arn"),
                "ServiceTimeout": _WITHIN_S,
                "About": {name: ref(name) for name in (SECRET, *tunable_settings().values())},
            },
        },
    }


def add_guard(resources: Value, package: str) -> Value:
    """Return the resources, all waiting for the answer. `package`: the zip's digest."""
    asked = resources[GUARD]["Properties"]
    about = {**asked["About"], "Package": package}
    return {
        **{
            name: each if name in _FIRST else {**each, "DependsOn": _waits_with_guard(each)}
            for name, each in resources.items()
        },
        GUARD: {**resources[GUARD], "Properties": {**asked, "About": about}},
    }


def _waits_with_guard(resource: Value) -> str | list[str]:
    """Return what a resource waits for: the guard, and what it waits for already."""
    waits = resource.get("DependsOn", [])
    others = [waits] if isinstance(waits, str) else waits
    return [GUARD, *others] if others else GUARD
