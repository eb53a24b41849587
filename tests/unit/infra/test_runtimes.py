"""Which Pythons may be packaged for, on which day."""

from __future__ import annotations

from datetime import date

import pytest

from infra.package.runtimes import NoRuntimeError, check_runtime, read_lifecycles

KNOWN = {
    "python3.10": {"deprecated": "2026-10-31", "create-block": "2027-02-01"},
    "python3.11": {"deprecated": "2027-06-30", "create-block": "2027-07-31"},
    "python3.14": {"deprecated": "2029-06-30", "create-block": "2029-07-31"},
}


@pytest.mark.parametrize(
    ("python", "today", "said"),
    [
        ((3, 10), date(2026, 10, 30), None),
        ((3, 10), date(2026, 10, 31), "deprecated at Lambda since 2026-10-31"),
        ((3, 11), date(2026, 11, 30), None),
        ((3, 11), date(2027, 7, 1), "takes no new function from 2027-07-31 on"),
        ((3, 14), date(2026, 11, 30), None),
        ((3, 99), date(2026, 11, 30), "is not known here"),
    ],
)
def test_a_python_that_lambda_takes_is_packaged_for(
    python: tuple[int, int], today: date, said: str | None
) -> None:
    found = check_runtime(python, today, KNOWN)
    assert found is None if said is None else said in str(found)


@pytest.mark.parametrize(
    ("python", "today"), [((3, 10), date(2027, 2, 1)), ((3, 5), date(2026, 11, 30))]
)
def test_a_python_that_lambda_takes_no_more_is_refused_with_a_better_one(
    python: tuple[int, int], today: date
) -> None:
    with pytest.raises(NoRuntimeError, match=r"make PYTHON=python3\.14 setup package"):
        check_runtime(python, today, KNOWN)


def test_there_is_a_list_of_what_lambda_runs_and_it_has_the_newest() -> None:
    assert {"python3.12", "python3.13", "python3.14"} <= read_lifecycles().keys()
