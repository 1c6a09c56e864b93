"""Pictures larger than memory: computed tile by tile, on one machine or on several."""
