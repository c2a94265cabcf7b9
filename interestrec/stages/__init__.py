"""The five stages: order and I/O, no mathematics."""
