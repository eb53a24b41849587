"""For all tests: no real AWS within reach, and one ministack per worker for those who ask."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

SECRET = "a-secret-that-only-tests-use-0123456789"

for _name in [name for name in os.environ if name.startswith(("AWS_", "JWT_"))]:
    del os.environ[_name]
for _name in ("LOCALSTACK_HOST", "ENDPOINT", "ENGINE", "STATE_DIR", "TABLE_PREFIX", "QUEUE_NAME"):
    os.environ.pop(_name, None)
# What tests start, they start often: it need not be compiled each time. Nor need the tests, whose
# assertions pytest rewrites: 7 s of a core for each worker, where nothing of it may be kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    JWT_SECRET=SECRET,
)

# A busy machine is no reason to fail: nothing here is timed.
hypothesis.settings.register_profile(
    "waybill", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("waybill")

# After the environment is safe: some modules read it when imported.
from infra.local.engine import EngineError, Ministack  # noqa: E402
from infra.local.ports import find_free_port  # noqa: E402

# How long whatever must come is waited for: many times as long as it takes where nothing else runs.
# By then a pass of the sweep, of which there is one every 15 s, has made up for a lost wakeup: that
# none is lost is seen in tests/functional, where no pass comes by itself.
PATIENCE_S = 30.0


def pytest_collection_finish() -> None:
    """Look no more for garbage among the thousands of tests themselves: that was a tenth of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def free_port() -> int:
    """A port of this process's own, outside the range that outgoing connections take from."""
    return find_free_port()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """One running engine for this worker, 0.3 s to start. It is emptied by whoever needs it so."""
    # moto changes the environment's credentials while it runs.
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    folder = tmp_path_factory.mktemp("ministack")
    engine = Ministack(free_port(), folder, environment=credentials)
    try:
        engine.start()
    except EngineError as error:
        if "not installed" in str(error):
            pytest.skip("ministack is not installed: run `make setup`")
        raise
    yield engine
    engine.stop()
