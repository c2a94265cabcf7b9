"""From raw columns to typed values: ids, times, numbers, written-out nulls, and the filters of rows."""
