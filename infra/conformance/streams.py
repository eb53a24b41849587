"""`python -m infra.conformance.streams dist/streams`: let the Durable Streams suite judge the log.

The folder has npm's @durable-streams/server-conformance-tests. A local run is started, and
stream_writer.py before it. What reads is judged: GROUPS, less what is LEFT_OUT. The suite's other
groups are about writing, closing, forking and subscribing, of which there is nothing here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from infra.conformance.stream_writer import StreamWriter, serve_streams
from infra.harness.stack_process import StackProcess, StackProcessError

GROUPS = (
    "Read Operations",
    "Long-Poll Operations",
    "HTTP Protocol",
    "Browser Security Headers",
    "HEAD Metadata",
    "Offset Validation",
    "Protocol Edge Cases",
    "Long-Poll Edge Cases",
    "Chunking and Large Payloads",
    "Read-Your-Writes",
    "JSON Mode",
    "Byte-Exactness",
    "Immutability",
    "State Hash",
    "offsets are always monotonically increasing",
)
LEFT_OUT = {
    "SSE": "a gateway that answers in one piece can't send events one by one",
    "on PUT": "nobody writes",
    "on POST": "nobody writes",
    "empty POST": "nobody writes",
    "DELETE": "nobody writes",
    "409": "nobody writes",
    "seq": "nobody writes",
    "Location": "nobody writes",
    "PUT without": "nobody writes",
    "invalid JSON": "nobody writes",
    "empty array body": "nobody writes",
    "empty JSON arrays": "nobody writes",
    "large payload": "nobody writes",
    "404": "whoever has a token has a log",
    "non-existent": "whoever has a token has a log",
    "HEAD Metadata Edge Cases": "a log has no expiry of its own",
    "error responses": "it is of a 404; ours is in tests/functional/test_event_stream.py",
    "Fork": "there are no forks",
    "Concurrent Writer": "nobody writes",
}

# Vitest runs no file of a package.
_TEST = "waybill.test.mjs"
_SCRIPT = """import { runConformanceTests } from "@durable-streams/server-conformance-tests"
runConformanceTests({ baseUrl: process.env.CONFORMANCE_TEST_URL })
"""
_TEST_TIMEOUT_MS = 60_000  # a wait is 25 s long


def main() -> int:
    """Run the suite against a local run; return its exit code."""
    folder = Path(sys.argv[1]).resolve()
    (folder / _TEST).write_text(_SCRIPT)
    try:
        with StackProcess() as stack:
            endpoint = f"http://127.0.0.1:{stack.options.engine_port}"
            os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
            with serve_streams(StreamWriter(stack.options.url, endpoint, stack.secret)) as url:
                code = _run_suite(folder, url)
    except StackProcessError as error:
        print(f"streams: {error}", file=sys.stderr)
        return 1
    for part, reason in LEFT_OUT.items():
        print(f"left out: {part!r}: {reason}")
    return code


def _run_suite(folder: Path, url: str) -> int:
    left_out, groups = ("|".join(map(re.escape, names)) for names in (LEFT_OUT, GROUPS))
    command = [
        *("npx", "vitest", "run", _TEST, "--no-coverage", "--reporter=dot"),
        f"--testTimeout={_TEST_TIMEOUT_MS}",
        *("-t", f"^(?!.*({left_out})).*({groups})"),
    ]
    environment = {**os.environ, "CONFORMANCE_TEST_URL": url}
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
