"""The city: a grid of streets, and walking along them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

BLOCKS = 12  # in each direction
BLOCK_M = 200.0
SOUTH_WEST = (52.50, 13.37)
_LAT_PER_M = 1 / 111_195
_LNG_PER_M = 1 / 67_690  # at this latitude

Corner = tuple[int, int]


@dataclass(frozen=True)
class City:
    """Corners are (north, east) in blocks."""

    random: Random

    def random_corner(self) -> Corner:
        """Return any corner."""
        return self.random.randint(0, BLOCKS), self.random.randint(0, BLOCKS)

    def walk_towards(self, here: Corner, there: Corner, blocks: int) -> Corner:
        """Return the corner that is `blocks` nearer, first along one street, then the other."""
        north = _step_towards(here[0], there[0], blocks)
        east = _step_towards(here[1], there[1], blocks - abs(north - here[0]))
        return north, east


def to_degrees(corner: Corner) -> tuple[float, float]:
    """Return a corner's (latitude, longitude)."""
    north, east = corner
    return (
        round(SOUTH_WEST[0] + north * BLOCK_M * _LAT_PER_M, 6),
        round(SOUTH_WEST[1] + east * BLOCK_M * _LNG_PER_M, 6),
    )


def address_of(corner: Corner) -> str:
    """Return a corner's address, such as `2nd Street and 3rd Avenue`."""
    return f"{_ordinal(corner[0] + 1)} Street and {_ordinal(corner[1] + 1)} Avenue"


def _step_towards(here: int, there: int, most: int) -> int:
    return here + max(-most, min(most, there - here))


def _ordinal(n: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th") if n not in (11, 12, 13) else "th"
    return f"{n}{ending}"
