"""The value of a null time, in a module that loads nothing."""

NO_TIME = -(2**63)  # in epoch microseconds: the smallest int64
