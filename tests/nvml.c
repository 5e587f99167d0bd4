/* A stand-in for NVIDIA's library (NVML), for tests on machines without a GPU. What it answers stands in the file that
 * NVML_STAND_IN names, read anew at each question; a line a GPU:
 *
 *     uuid busy used_mib total_mib [pid mib]...
 *
 * -1 is what the driver does not know. Only what src/gpus asks for is here; declarations follow NVIDIA's public
 * documentation of NVML. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, UNKNOWN = 999 };
#define GPUS 8
#define PROCESSES 8

typedef struct {
    int index, busy, processes;
    char uuid[96];
    long used, total;
    struct { unsigned pid; long mib; } list[PROCESSES];
} Gpu;

static Gpu gpus[GPUS];

static int read_gpus(void) {
    const char *name = getenv("NVML_STAND_IN");
    FILE *file = name ? fopen(name, "r") : NULL;
    char line[512];
    int count = 0;
    if (!file)
        return -1;
    while (count < GPUS && fgets(line, sizeof line, file)) {
        Gpu *gpu = &gpus[count];
        int at = 0, more = 0;
        memset(gpu, 0, sizeof *gpu);
        gpu->index = count;
        if (sscanf(line, "%95s %d %ld %ld%n", gpu->uuid, &gpu->busy, &gpu->used, &gpu->total, &at) != 4)
            break;
        while (gpu->processes < PROCESSES &&
               sscanf(line + at, "%u %ld%n", &gpu->list[gpu->processes].pid, &gpu->list[gpu->processes].mib, &more) == 2) {
            gpu->processes++;
            at += more;
        }
        count++;
    }
    fclose(file);
    return count;
}

static unsigned long long bytes(long mib) { return mib < 0 ? ~0ULL : (unsigned long long)mib << 20; }

int nvmlInit_v2(void) { return read_gpus() < 0 ? UNKNOWN : SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    int found = read_gpus();
    *count = found < 0 ? 0 : (unsigned)found;
    return found < 0 ? UNKNOWN : SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **gpu) {
    int count = read_gpus();
    if ((int)index >= count)
        return NOT_FOUND;
    return *gpu = &gpus[index], SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **gpu) {
    int count = read_gpus();
    for (int at = 0; at < count; at++)
        if (!strcmp(gpus[at].uuid, uuid))
            return *gpu = &gpus[at], SUCCESS;
    return NOT_FOUND;
}

int nvmlDeviceGetIndex(Gpu *gpu, unsigned *index) { return *index = (unsigned)gpu->index, SUCCESS; }

int nvmlDeviceGetUtilizationRates(Gpu *gpu, unsigned *rates) {
    if (gpu->busy < 0)
        return NOT_SUPPORTED;
    rates[0] = (unsigned)gpu->busy;
    rates[1] = 0;
    return SUCCESS;
}

typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used;
} MemoryV2;

int nvmlDeviceGetMemoryInfo_v2(Gpu *gpu, MemoryV2 *memory) {
    if (gpu->total < 0)
        return NOT_SUPPORTED;
    memory->total = bytes(gpu->total);
    memory->used = bytes(gpu->used);
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

typedef struct {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
} Process;

int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *gpu, unsigned *count, Process *processes) {
    unsigned room = *count;
    *count = (unsigned)gpu->processes;
    if (room < *count)
        return TOO_SMALL;
    for (unsigned at = 0; at < *count; at++) {
        Process found = {gpu->list[at].pid, bytes(gpu->list[at].mib), ~0U, ~0U};
        processes[at] = found;
    }
    return SUCCESS;
}

/* The same for all of them, "major minor", where NVML_STAND_IN_CAPABILITY says it. */
int nvmlDeviceGetCudaComputeCapability(Gpu *gpu, int *major, int *minor) {
    const char *text = getenv("NVML_STAND_IN_CAPABILITY");
    (void)gpu;
    return text && sscanf(text, "%d %d", major, minor) == 2 ? SUCCESS : NOT_SUPPORTED;
}
