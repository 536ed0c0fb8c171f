"""``falcon-sc discover | cut | predict | markers | report | pretrain | demo | bench``."""

from falcon_sc._cli.command_line import main as main
