"""`python -m tests.simulation`: see runner."""

import os
import sys

if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets are walked in the order of hashes
        here = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, here, {**os.environ, "PYTHONHASHSEED": "0"})
    from tests.simulation.runner import main  # takes a second, which is spent once so

    sys.exit(main())
