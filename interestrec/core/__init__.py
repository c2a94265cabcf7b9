"""The lowest layer: errors, logging, progress, interrupts, look-up by name, prefetching, worker addresses."""
