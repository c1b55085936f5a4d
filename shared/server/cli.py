"""Runs ``cli.py`` of the folder above by importing it: Python then takes the file that it compiled before.

What Python is given to run it compiles each time, and of a file as large as the client that costs 4 MiB for good. This
one is short, and has the client's name so that ``ps`` shows ``cli.py serve`` with what it was given.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# In place of the folder of this file, where another module has the name of the client.
sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)
sys.exit(import_module("cli").main())
