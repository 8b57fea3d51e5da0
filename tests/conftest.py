"""What all tests share: how threads wait for one another, said before PyTorch is loaded."""

import os

# As in location_dmc.py: `make test` has two processes, whose threads would else spin in each other's way.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
