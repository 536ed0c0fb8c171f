"""Fine-grained cell types inside coarse annotations (FALCON, ICML 2024)."""
