"""Deferred imports: libraries that are imported at their first use.

`from interestrec.core.deferred_import import np` replaces `import numpy as np` in modules that the configuration
imports for their settings, such as readers and scorers, so that checking a configuration does not take the half second
that the libraries need.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class DeferredModule(ModuleType):
    """A module that is imported when one of its attributes is first read."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._imported(), name)
        setattr(self, name, value)
        return value

    def _imported(self) -> ModuleType:
        return importlib.import_module(self.__name__)


if TYPE_CHECKING:
    import duckdb as duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from scipy import sparse as sparse
else:
    duckdb, np, sparse = DeferredModule("duckdb"), DeferredModule("numpy"), DeferredModule("scipy.sparse")
    pa, pc = DeferredModule("pyarrow"), DeferredModule("pyarrow.compute")
