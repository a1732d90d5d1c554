# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where measured processes run: children inherit the affinity of who starts them."""
import contextlib
import os

PLACES = {"one core": "same core", "unpinned": "unpinned"}
ALL = os.sched_getaffinity(0)


@contextlib.contextmanager
def placed(place):
    """Processes started within run all on one core, or anywhere."""
    os.sched_setaffinity(0, {max(ALL)} if place == "one core" else ALL)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ALL)
