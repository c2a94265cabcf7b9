"""Features of candidates that depend on the history: its share in a category, and its price level."""

import numpy as np
import pyarrow as pa


def category_share(
    history: np.ndarray, present: np.ndarray, candidates: np.ndarray, category: np.ndarray
) -> np.ndarray:
    """Return the share of each history that is in the category of each candidate.

    Three history entries of the categories a, a and none give 2/3 to a candidate of a, and 0 to one of b or of none.

    Args:
        history: int [requests, length], items.
        present: bool [requests, length], False at padding and at entries that do not count.
        candidates: int [requests, candidates], items.
        category: int32 [items], codes such as the first level of `category_codes`; −1 = none.

    Returns:
        float32 [requests, candidates]; 0 for an empty history.
    """
    known, requests = category[history], len(history)
    counted = present & (known >= 0)
    owner = np.nonzero(counted)[0]
    codes, column = np.unique(known[counted], return_inverse=True)  # of histories only, which bounds the matrix
    events = np.bincount(owner * len(codes) + column, minlength=requests * len(codes)).reshape(requests, len(codes))
    share = np.zeros((requests, len(codes) + 1), np.float32)  # the last column is that of other categories
    share[:, :-1] = events / np.maximum(present.sum(axis=1, keepdims=True), 1)
    column_of = np.full(int(category.max(initial=-1)) + 2, len(codes))  # the last entry is that of −1
    column_of[codes] = np.arange(len(codes))
    return np.take_along_axis(share, column_of[category[candidates]], axis=1)


def relative_price(
    history: np.ndarray, present: np.ndarray, candidates: np.ndarray, log_price: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the price of each candidate with the mean price of the history: ln p(candidate) − mean ln p(history).

    The mean of logarithms is the geometric mean, which one expensive item does not decide: after items of 2 and 8, an
    item of 8 has ln 2.

    Args:
        history, present, candidates: see `category_share`.
        log_price: float32 [items], see `log_prices`.

    Returns:
        The log ratio, float32 [requests, candidates], and whether it is known, bool in the same shape. It is known if
        the candidate and an entry of the history have a price; elsewhere the ratio is 0.
    """
    price = np.where(present, log_price[history], np.nan)
    priced = ~np.isnan(price)
    n = priced.sum(axis=1, keepdims=True)
    mean = np.where(priced, price, 0).sum(axis=1, keepdims=True, dtype=np.float64) / np.maximum(n, 1)
    own = log_price[candidates]
    known = (n > 0) & ~np.isnan(own)
    return np.where(known, own - mean, 0).astype(np.float32), known


def log_prices(price: pa.ChunkedArray) -> np.ndarray:
    """Return natural logarithms of prices, float32 [items]: NaN where a price is null or not above 0.

    Args:
        price: float64 [items], the column of schemas.ITEMS.
    """
    values = price.to_numpy().astype(np.float64)
    values[~(values > 0)] = np.nan
    return np.log(values).astype(np.float32)


def standardised_prices(price: pa.ChunkedArray, fitted_on: np.ndarray) -> np.ndarray:
    """Return logarithms of prices in deviations from their mean, float32 [items]; NaN as in `log_prices`.

    Args:
        price: float64 [items], the column of schemas.ITEMS.
        fitted_on: bool [items], whose mean and deviation count.
    """
    logs = log_prices(price)
    used = logs[fitted_on & np.isfinite(logs)]
    if not len(used):
        return logs
    deviation = float(used.std()) if np.ptp(used) > 0 else 1.0
    return ((logs - used.mean()) / deviation).astype(np.float32)
