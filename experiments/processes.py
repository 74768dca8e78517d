"""A job of several processes: how they find each other, and where they meet."""

import os
import sys
from typing import Any, NoReturn

import jax
from omegaconf import OmegaConf

SHUTDOWN_SECONDS = 24 * 3600
"""How long the other processes wait, at their end, for the first to draw and judge."""

JOBS = {"SLURM_JOB_ID": "slurm", "PBS_JOBID": "pbs", "LSB_JOBID": "lsf"}
"""Where clusters tell all processes of a job the same name."""


def start(**options: Any) -> None:
    """Join the other processes by JAX's distributed runtime, once; options are those of `jax.distributed.initialize`.

    What is left out is found out on SLURM, TPU pods and under Open MPI.
    """
    if not jax.distributed.is_initialized():
        jax.distributed.initialize(**{"shutdown_timeout_seconds": SHUTDOWN_SECONDS, **options})


def several() -> bool:
    """Whether this job has several processes."""
    return jax.distributed.is_initialized()


def is_first() -> bool:
    """Whether this process is the only one, or the first: the one that reports."""
    return not several() or jax.process_index() == 0


def give_up(message: str) -> NoReturn:
    """End a job with an error. In one of several processes at once: a farewell would wait for those that go on."""
    if several():
        print(message, file=sys.stderr, flush=True)
        os._exit(1)
    sys.exit(message)


def cluster_job() -> str:
    """The name of the cluster's job, the same in all processes.

    Raises:
        ValueError: where there is none.
    """
    for variable, kind in JOBS.items():
        if os.environ.get(variable):
            return f"{kind}-{os.environ[variable]}"
    raise ValueError("distributed=auto: the processes need one folder; give all of them hydra.run.dir=FOLDER")


OmegaConf.register_new_resolver("cluster_job", cluster_job, replace=True)
