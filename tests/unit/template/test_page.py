"""docs/deploy.md says what is true."""

from __future__ import annotations

import re

import pytest

from chalicelib.domain.events import LOGGED_FOR
from chalicelib.domain.orders.chat import CHAT_KEPT_FOR
from chalicelib.store.tables import MODELS, TTL_ATTRIBUTES, get_short_name
from infra.conformance.gaps import GAPS
from infra.docs.costs import PAGES, read_units, rewrite_page
from infra.package.archive import MAX_BYTES
from infra.package.cold import ALLOWED
from infra.package.project import HOME
from infra.template import alarms, watch
from infra.template.parameters import make_parameters, tunable_settings

PAGE = (HOME / "docs" / "deploy.md").read_text()


def test_every_story_that_is_not_told_is_named_with_its_reason() -> None:
    for name, reason in GAPS.items():
        assert f"`{name}`" in PAGE
        assert reason in PAGE


def test_every_story_that_is_not_told_exists() -> None:
    stories = "\n".join(path.read_text() for path in (HOME / "tests" / "e2e").rglob("test_*.py"))
    for name in GAPS:
        assert f"def {name.partition('[')[0]}(" in stories, name


def test_costs_are_what_the_figures_come_to() -> None:
    for page in PAGES:
        text = page.read_text()
        assert rewrite_page(text) == text, "run `python -m infra.docs.costs`"
        assert "| a million deliveries | $" in text


def test_a_figure_that_is_not_there_is_missed() -> None:
    assert read_units("whole")["write units"] > 0
    with pytest.raises(KeyError):
        read_units("nothing")


def test_every_parameter_is_described() -> None:
    for name in make_parameters().keys() - set(tunable_settings().values()):
        assert f"`{name}`" in PAGE


def test_budgets_are_those_that_are_enforced() -> None:
    assert f"budget {MAX_BYTES / 1e6:g} MB" in PAGE
    assert f"budget {ALLOWED}" in PAGE


def test_every_alarm_is_described_with_what_to_do() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    told = {
        name: [cell.strip() for cell in cells[2:-1]]
        for cells in rows
        for name in re.findall(r"`(\w+)`", cells[1])
        if len(cells) == 5
    }
    made = {**alarms.make_resources(), **watch.make_template()["Resources"]}
    names = [name for name, one in made.items() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(names) > 15
    for name in names:
        meaning, to_do = told[name.removesuffix("Alarm")]
        assert meaning, name
        assert to_do, name


def test_every_parameter_of_the_watch_is_described() -> None:
    for name in watch.make_template()["Parameters"]:
        assert re.search(rf"`{name}`|\b{name}=", PAGE), name


def test_the_page_on_personal_data_knows_every_table_and_how_long_rows_live() -> None:
    page = (HOME / "docs" / "personal-data.md").read_text()
    kept = page.partition("## Erasing")[0]
    for model in MODELS:
        name = get_short_name(model)
        (row,) = (line for line in kept.splitlines() if re.match(rf"\| [^|]*`{name}`", line))
        assert ("(TTL)" in row) == (name in TTL_ATTRIBUTES), name
    assert f"{LOGGED_FOR.days} days and an hour (TTL)" in kept
    assert f"{CHAT_KEPT_FOR.days} days (TTL)" in kept
