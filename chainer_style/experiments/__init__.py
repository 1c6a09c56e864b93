"""The paper's experiments: each runs and leaves records; reports read those."""
