"""Every limit that bounds memory or time, with the reason for its value."""

BLOCK_BYTES = 1 << 22
"""Bytes read at a time: small enough that a block's columns stay in the processor's cache."""

LINE_BYTES = 1 << 20
"""A line longer than this is cut and rejected: Keras's longest line is a few kilobytes."""

METRIC_NAMES = 512
"""Different metric names in one log; further names are rejected.

Each is a column of every table and is rebuilt on its own. Twenty outputs with ten metrics each,
their losses and validation twins, are 440.
"""

ROW_METRICS = 512
"""Metrics on one line."""

REJECT_EXCERPT = 200
"""Bytes of a reject kept as its excerpt."""

REJECTS_KEPT = 1000
"""Rejects kept one by one in a log; the rest are counted by kind."""

MESSAGES_KEPT = 100_000
"""Messages kept one by one in a log; the rest are counted by kind."""

ARCHIVE_MEMBERS = 1000
"""Members read from one archive."""

ARCHIVE_BYTES = 2 << 30
"""Bytes that all members of one archive may unpack to."""

UPLOAD_ARCHIVE_BYTES = 500 << 20
"""The same for an archive that was uploaded: its event files are kept in memory, not on disk."""

COMPRESSION_RATIO = 200
"""Unpacked over packed bytes, checked while reading once past ``COMPRESSION_FLOOR``."""

COMPRESSION_FLOOR = 16 << 20
"""Unpacked bytes below which the ratio is not judged: short logs compress well."""
