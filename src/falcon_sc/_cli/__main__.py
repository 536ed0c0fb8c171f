"""``python -m falcon_sc._cli``, as torchrun starts it."""

import sys

from falcon_sc._cli import main

sys.exit(main())
