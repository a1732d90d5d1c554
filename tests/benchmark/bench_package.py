# SPDX-License-Identifier: LGPL-2.1-or-later
"""Import first: makes tools/benchmark importable as benchmark."""
import os
import sys

sys.dont_write_bytecode = True
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tools"))
