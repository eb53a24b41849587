"""Print a packed attribute, given as the console has it: `python -m infra.deploy.unpack BASE64`."""

from __future__ import annotations

import base64
import binascii
import sys
import zlib

from chalicelib.store.compression import unpack_json


def main(argv: list[str]) -> int:
    """Print the JSON of the one argument."""
    if len(argv) != 1:
        print("usage: python -m infra.deploy.unpack BASE64", file=sys.stderr)
        return 2
    try:
        print(unpack_json(base64.b64decode(argv[0], validate=True)).decode())
    except (binascii.Error, KeyError, zlib.error):
        print("This is no packed attribute: copy the whole of it, base64.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
