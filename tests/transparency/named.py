"""What a verification has named."""

import re

STATE = "convert_to(replace(convert_from(state, 'UTF8'), '\"actor\":\"', '\"actor\":\"x'), 'UTF8')"
"""Another actor, for an attack to set."""


def named(result):
    """The positions that were named, of each tree in order."""
    found = re.findall(
        r"^  (events|checks|manifests|audit-reads) (\d+): (.+)$", result.output, re.MULTILINE
    )
    return [(tree, int(position), what) for tree, position, what in found]


def first(result):
    """That of a difference has to be known by the exit code too."""
    assert 1 == result.exit_code, result.output
    assert "NOT the log that was signed" in result.output
    tree, position, what = named(result)[0]
    return tree, position, what
