"""What `pipeline` sets in the environment of a worker (src/engine/src/run/worker_env.rs): what is timed here runs as users' stages do."""
import os

WORKER = {"GOMP_SPINCOUNT": "10000", "MALLOC_MMAP_THRESHOLD_": str(512 << 20), "MALLOC_TRIM_THRESHOLD_": str(4 << 30), **os.environ}
