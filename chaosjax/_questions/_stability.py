"""How sharp the loss is at the end of a sweep's runs, in thresholds of their optimizer."""

from typing import Any

import numpy as np
import xarray as xr


def stability_of(records: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, str]:
    """The last sharpness over its threshold; the share of living seeds in which it is converged; its name."""
    sharpness, rate = records["sharpness"].isel(eigenvalue=0), records["learning_rate"]
    last = int(sharpness.notnull().any(["learning_rate", "seed"]).cumsum("time").argmax("time"))
    alive = records["alive"].isel(time=-1, drop=True)

    def at_the_end(name: str, default: Any) -> Any:
        return records[name].isel(time=last, drop=True) if name in records else default

    threshold = at_the_end("sharpness_threshold", 2 / rate)
    converged = at_the_end("sharpness_converged", xr.ones_like(alive).expand_dims("eigenvalue")).isel(eigenvalue=0)
    plain = bool(np.isclose((threshold * rate / 2).where(alive), 1, equal_nan=True).all())
    ratio = sharpness.isel(time=last, drop=True).where(alive) / threshold
    share = converged.astype(float).where(alive).mean("seed").drop_attrs()
    return ratio, share, "sharpness · η/2" if plain else "sharpness / threshold of the optimizer"
