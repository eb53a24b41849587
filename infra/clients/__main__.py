"""Write the clients' types anew: `python -m infra.clients`."""

from __future__ import annotations

from infra.clients.frames import HOME, make_files


def main() -> None:
    """Write each file."""
    for path, text in make_files().items():
        path.write_text(text)
        print(path.relative_to(HOME))


if __name__ == "__main__":
    main()
