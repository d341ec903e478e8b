"""The door to the workshop: `python -m latent_dynamics ...`."""

import sys

from .workshop.commands import main

if __name__ == "__main__":
    sys.exit(main())
