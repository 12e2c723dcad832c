"""The environment variables of workers."""

from __future__ import annotations

from collections.abc import Sequence

from rafiki.executor.base import WorkerSpec


def worker_variables(spec: WorkerSpec, gpus: Sequence[int]) -> dict[str, str]:
    """From nothing: none of the platform's secrets are in it. `gpus` are the worker's, by the indices that it sees."""
    n_threads = str(spec.n_threads)
    visible = ",".join(map(str, gpus)) or "-1"
    scratch_dir = str(spec.scratch_dir)
    return {
        "HOME": scratch_dir,
        "TMPDIR": scratch_dir,
        "USER": "rafiki",
        "LOGNAME": "rafiki",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(spec.environment.worker_part),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": n_threads,
        "OPENBLAS_NUM_THREADS": n_threads,
        "MKL_NUM_THREADS": n_threads,
        "TF_NUM_INTRAOP_THREADS": n_threads,
        "TF_NUM_INTEROP_THREADS": n_threads,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # as the driver counts them, and so do we
        "CUDA_VISIBLE_DEVICES": visible,
        "CUDA_AVAILABLE_DEVICES": visible,
    }
