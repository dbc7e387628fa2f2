"""What a user did or gave that logparse cannot use: one sentence each, and its exit code."""


class LogparseError(Exception):
    """A mistake of the user or an input that cannot be used.

    The message is one clear line for the user. ``exit_code`` is what the command ends with:
    2 usage, 3 nothing could be read.
    """

    exit_code = 3


class UsageError(LogparseError):
    """An option or a combination of options makes no sense."""

    exit_code = 2


class SourceError(LogparseError):
    """A source cannot be opened or read: missing, no permission, a directory, damaged archive."""


class LimitError(SourceError):
    """A limit of ``limits.py`` was met: the input is larger or more nested than is safe to read."""


class NotALogError(LogparseError):
    """No reader recognised the input."""
