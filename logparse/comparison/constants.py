"""What both the arithmetic of a comparison and the text of its rules need: numbers, no imports."""

FEWEST = 3
"""Steady epochs below which there is no interval: two do not tell how much epochs differ."""

INDEPENDENT = 0.1
"""Chance, before looking, that epochs do not resemble their neighbours at all."""

DRIFTING = 0.125
"""Chance, before looking, of a correlation of 0.9 and more: epochs drift rather than scatter."""

MOST_MORE = 1000
"""More epochs than these are not worth asking for."""

SAME = 1.05
"""Ratios within this factor of 1 are the same for a user: less is not worth a look."""
