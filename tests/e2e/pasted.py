"""What a reader pastes into a shell, with what a reader does besides: to look, and wait."""

from __future__ import annotations

import shlex
from pathlib import Path

PASTED_WITHIN_S = 180.0  # some dozen processes, one after another


def define_await(heard: Path) -> str:
    """Shell's words for a function `await WORD`, which returns once a socket has heard a word, and
    fails when that takes too long. What is heard is to go through `tee -a "$heard"`."""
    return f"""set -o pipefail; heard={shlex.quote(str(heard))}; : > "$heard"
await() {{
  for _ in $(seq 600); do ! grep -q "$1" "$heard" || return 0; sleep 0.1; done; return 1
}}
"""
