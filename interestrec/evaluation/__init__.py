"""What a report computes: protocols, metrics by slice, comparisons, audits, gates."""
