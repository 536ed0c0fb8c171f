"""The tree of splits inside coarse classes, with what speaks for each."""
