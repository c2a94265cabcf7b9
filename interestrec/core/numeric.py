"""NumPy and SciPy's sparse matrices, loaded at their first use.

`from interestrec.core.numeric import np, sparse` takes the place of the usual imports in modules that hold settings
beside computations, such as scorers: a configuration is then checked without the half second that both libraries take.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _DeferredModule(ModuleType):
    """A module that is imported when one of its attributes is first needed."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse as sparse
else:
    np, sparse = _DeferredModule("numpy"), _DeferredModule("scipy.sparse")
