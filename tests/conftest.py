"""Tests run in float64 on four simulated CPU devices, so that device invariance is tested on any machine."""

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
