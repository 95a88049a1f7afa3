"""`python -m muybridge` is the command `muybridge`."""

import sys

from muybridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
