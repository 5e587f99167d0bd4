"""What `pipeline` sets in the environment of a worker (src/engine/src/run/worker_env.rs): what is timed here runs as users' stages do."""
import os

# Of a worker that has all threads of the machine: its share is an eighth of the memory.
_EIGHTH = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
WORKER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "TORCH_CUDNN_SDPA_DEPRIORITIZED": "1", "GOMP_SPINCOUNT": "10000", "MALLOC_MMAP_THRESHOLD_": str(512 << 20), "MALLOC_TRIM_THRESHOLD_": str(min(4 << 30, _EIGHTH)), **os.environ}


def with_tf32(environment):
    """The environment of a worker whose stage says `precision: tf32`; PyTorch in it computes in TF32 too, so that both sides do."""
    off = "NVIDIA_TF32_OVERRIDE"
    return {**{k: v for k, v in environment.items() if k != off}, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
