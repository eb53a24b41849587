"""Two policies or more on the same days: `python -m infra.simulate compare A=… B=…`.

A policy is a name and settings, with spaces between them: `waves="DISPATCH_WAVES=1500x1@15 …"`.
What the environment says holds for all of them; a policy's own settings win. Each runs the same
seeds, and each figure is the mean over these.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from chalicelib.settings import BadSetting
from infra.simulate.day import make_scenario, run_day
from infra.simulate.options import read_options, read_settings

_MAX_SEEDS = 1000
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def parse_policies(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse `name=SETTING=value SETTING=value`. Raises BadSetting."""
    policies: dict[str, dict[str, str]] = {}
    for text in given:
        name, is_named, settings = text.partition("=")
        if not name or not is_named or name in policies:
            raise BadSetting(
                f"A policy is a name of its own, as 'near=DISPATCH_RADIUS_M=3000', not {text!r}."
            )
        policies[name] = _parse_settings(settings)
    if not policies:
        raise BadSetting("Name the policies: today= near=DISPATCH_RADIUS_M=3000")
    return policies


def _parse_settings(text: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadSetting(f"{text!r}: {error}") from None
    for word in words:
        name, is_set, value = word.partition("=")
        if not is_set or not _NAME.fullmatch(name):
            raise BadSetting(f"A setting is given as NAME=value, not {word!r}.")
        settings[name] = value
    return settings


def parse_seeds(text: str) -> list[int]:
    """Parse `1-5` or `1,4,9`. Raises BadSetting."""
    match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", text)
    if match:
        seeds = list(range(int(match[1]), min(int(match[2]), int(match[1]) + _MAX_SEEDS) + 1))
    else:
        parts = text.split(",")
        if not all(re.fullmatch(r"\d{1,9}", part) for part in parts):
            raise BadSetting(f"SEEDS takes 1-5 or 1,4,9, not {text!r}.")
        seeds = [int(part) for part in parts]
    if not 0 < len(seeds) <= _MAX_SEEDS:
        raise BadSetting(f"SEEDS takes 1 to {_MAX_SEEDS} seeds, not {text!r}.")
    return seeds


def compare(given: Sequence[str], env: Mapping[str, str]) -> str:
    """Run policies over SEEDS (1-3); return the table of their figures. Raises BadSetting."""
    policies, seeds = parse_policies(given), parse_seeds(env.get("SEEDS") or "1-3")
    envs = {name: {**env, **settings} for name, settings in policies.items()}
    for one in envs.values():
        read_options(one)  # all mistakes before the first run
        read_settings(one)
    runs = [(name, {**one, "SEED": str(seed)}) for name, one in envs.items() for seed in seeds]
    with ProcessPoolExecutor(max_workers=min(len(runs), os.cpu_count() or 1)) as pool:
        found = []
        for figures in pool.map(_run, [env for _, env in runs]):
            found.append(figures)
            name, asked = runs[len(found) - 1]
            print(f"{len(found)} of {len(runs)}: {name}, seed {asked['SEED']}", file=sys.stderr)
    columns = {
        name: _average(
            [figures for (of, _), figures in zip(runs, found, strict=True) if of == name]
        )
        for name in policies
    }
    return render_table(columns)


def _run(env: Mapping[str, str]) -> dict[str, str]:
    options = read_options(env)
    return run_day(make_scenario(options), options, read_settings(env)).list_figures()


def _average(runs: Sequence[Mapping[str, str]]) -> dict[str, float]:
    return {name: sum(float(run[name]) for run in runs) / len(runs) for name in runs[0]}


def render_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Render figures side by side, a line each, as Markdown has tables."""
    names = next(iter(columns.values()))
    lines = [["", *columns], ["---", *("---:" for _ in columns)]]
    lines += [[name, *(f"{column[name]:.2f}" for column in columns.values())] for name in names]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )
