"""The start says, before any training, how many fine classes each coarse class has and which cell is in which."""
