// A stand-in for libnvidia-ml.so, for tests: two GPUs, of which GPU 0 has NVLinks. standInSet(name, value) says how they do:
//   state = ok|lost|reset|driver      what GPU 1 or the driver answers
//   mig = 1                           GPU 1 is in MIG mode with two instances
//   slow = <ms>                       how long each listing of the GPUs takes
// Compiled with -DOLD_DRIVER it lacks what drivers before Hopper lack, and with -DHANG it never answers.
// The structures are declared here on their own, as nvml.h documents them, so that the reader's bytes are held against
// what a C compiler lays out.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct device *nvmlDevice_t;
typedef struct sample *nvmlGpmSample_t;
typedef struct set *nvmlEventSet_t;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned int version; int sensorType; int temperature; } nvmlTemperature_v1_t;
typedef union { double dVal; int siVal; unsigned int uiVal; unsigned long long ullVal; } nvmlValue_t;
typedef struct {
  unsigned int fieldId, scopeId;
  long long timestamp, latencyUsec;
  int valueType;
  int nvmlReturn;
  nvmlValue_t value;
} nvmlFieldValue_t;
typedef struct { unsigned long long referenceTime, violationTime; } nvmlViolationTime_t;
typedef struct { unsigned int pid; unsigned long long usedGpuMemory; unsigned int gpuInstanceId, computeInstanceId; } nvmlProcessInfo_v2_t;
typedef struct { nvmlDevice_t device; unsigned long long eventType, eventData; unsigned int gpuInstanceId, computeInstanceId; } nvmlEventData_t;
typedef struct {
  char busIdLegacy[16];
  unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];
} nvmlPciInfo_t;
typedef struct {
  unsigned int metricId;
  int nvmlReturn;
  double value;
  struct { char *shortName, *longName, *unit; } metricInfo;
} nvmlGpmMetric_t;
typedef struct {
  unsigned int version, numMetrics;
  nvmlGpmSample_t sample1, sample2;
  nvmlGpmMetric_t metrics[333];
} nvmlGpmMetricsGet_t;
typedef struct { unsigned int version, isSupportedDevice; } nvmlGpmSupport_t;

#define VERSION_OF(type, version) (unsigned int)(sizeof(type) | ((version) << 24U))
enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, DRIVER = 9, TIMEOUT = 10, LOST = 15, RESET = 16, BAD_VERSION = 25 };

struct device { int index; int instance; };
static struct device devices[] = {{0, -1}, {1, -1}};
static struct device instances[] = {{1, 1}, {1, 5}};
static unsigned long long calls = 0;
static int events = 0;

static char stateText[16] = "ok";
static int mig = 0, slowMs = 0;

int standInSet(const char *name, const char *value) {
  if (!strcmp(name, "state")) snprintf(stateText, sizeof stateText, "%s", value);
  else if (!strcmp(name, "mig")) mig = atoi(value);
  else if (!strcmp(name, "slow")) slowMs = atoi(value);
  else return INVALID;
  return OK;
}
static const char *state(void) { return stateText; }
static int hasMig(nvmlDevice_t d) { return d->index == 1 && mig; }
static int answer(nvmlDevice_t d) {
  if (d->index == 1 && !strcmp(state(), "lost")) return LOST;
  if (d->index == 1 && !strcmp(state(), "reset")) return RESET;
  return OK;
}

int nvmlInit_v2(void) {
#ifdef HANG
  for (;;) sleep(1000);
#endif
  return strcmp(state(), "driver") ? OK : DRIVER;
}
int nvmlDeviceGetCount_v2(unsigned int *count) { usleep(slowMs * 1000); calls++; *count = 2; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  *device = &devices[index];
  return OK;
}
int nvmlSystemGetDriverVersion(char *text, unsigned int length) { snprintf(text, length, "580.65.06"); return OK; }
int nvmlDeviceGetUUID(nvmlDevice_t d, char *text, unsigned int length) {
  if (d->instance >= 0) snprintf(text, length, "MIG-0000000%d-1111-2222-3333-444444444444", d->instance);
  else snprintf(text, length, "GPU-0000000%d-aaaa-bbbb-cccc-dddddddddddd", d->index);
  return OK;
}
int nvmlDeviceGetName(nvmlDevice_t d, char *text, unsigned int length) {
  snprintf(text, length, d->instance < 0 ? "NVIDIA H100 80GB HBM3" : "NVIDIA H100 80GB HBM3 MIG %s", d->instance == 1 ? "3g.40gb" : "1g.10gb");
  return OK;
}
int nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *info) {
  memset(info, 0, sizeof *info);
  snprintf(info->busIdLegacy, 16, "0000:%02X:00.0", 0x19 + d->index);
  snprintf(info->busId, 32, "00000000:%02X:00.0", 0x19 + d->index);
  return OK;
}
int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t d, nvmlMemory_v2_t *memory) {
  if (answer(d)) return answer(d);
  if (memory->version != VERSION_OF(nvmlMemory_v2_t, 2)) return BAD_VERSION;
  memory->total = 85520809984ULL / (d->instance < 0 ? 1 : 2);
  memory->reserved = 655360000ULL;
  memory->used = 40000000000ULL + (d->instance < 0 ? 0 : 1);
  memory->free = memory->total - memory->reserved - memory->used;
  return OK;
}
int nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *rates) {
  if (hasMig(d)) return NOT_SUPPORTED;
  rates->gpu = 97;
  rates->memory = 41;
  return answer(d);
}
int nvmlDeviceGetPowerUsage(nvmlDevice_t d, unsigned int *mw) { *mw = 512345 + calls; return answer(d); }
int nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t d, unsigned int *mw) { *mw = 700000; return answer(d); }
int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t d, unsigned long long *mj) { *mj = 5000000000000ULL + calls * 512000; return answer(d); }
int nvmlDeviceGetTemperature(nvmlDevice_t d, int sensor, unsigned int *celsius) { *celsius = 61 + sensor; return answer(d); }
int nvmlDeviceGetClockInfo(nvmlDevice_t d, int type, unsigned int *mhz) { *mhz = type == 1 ? 1980 : 2619; return answer(d); }
int nvmlDeviceGetTotalEccErrors(nvmlDevice_t d, int type, int counter, unsigned long long *count) {
  if (counter != 0) return INVALID;
  *count = type == 0 ? 7 : 1;
  return answer(d);
}
int nvmlDeviceGetRemappedRows(nvmlDevice_t d, unsigned int *corrected, unsigned int *uncorrected, unsigned int *pending, unsigned int *failure) {
  *corrected = 2; *uncorrected = 1; *pending = 1; *failure = 0;
  return answer(d);
}
int nvmlDeviceGetPcieReplayCounter(nvmlDevice_t d, unsigned int *count) { *count = 3; return answer(d); }
int nvmlDeviceGetNvLinkState(nvmlDevice_t d, unsigned int link, unsigned int *active) {
  if (d->index == 1) return NOT_SUPPORTED;
  if (link >= 2) return INVALID;
  *active = 1;
  return answer(d);
}
int nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t d, unsigned int link, int counter, unsigned long long *value) {
  if (counter == 3) return NOT_SUPPORTED;
  *value = 10 * link + counter;
  return answer(d);
}
int nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t d, unsigned int *count, nvmlProcessInfo_v2_t *infos) {
  nvmlProcessInfo_v2_t found[] = {{4242, 39000000000ULL, hasMig(d) ? 5 : ~0U, ~0U}, {4243, ~0ULL, ~0U, ~0U}};
  if (*count < 2) return 7;
  memcpy(infos, found, sizeof found);
  *count = 2;
  return answer(d);
}
int nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned int *current, unsigned int *pending) {
  *current = *pending = hasMig(d);
  return answer(d);
}
int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t d, unsigned int *count) { *count = 7; return answer(d); }
int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned int index, nvmlDevice_t *mig) {
  if (index >= 2) return 6;
  *mig = &instances[index];
  return answer(d);
}
int nvmlDeviceGetGpuInstanceId(nvmlDevice_t mig, unsigned int *id) { *id = mig->instance; return OK; }
int nvmlEventSetCreate(nvmlEventSet_t *set) { *set = (nvmlEventSet_t)&events; return OK; }
int nvmlDeviceRegisterEvents(nvmlDevice_t d, unsigned long long types, nvmlEventSet_t set) {
  return d->index < 2 && types == 8 && set == (nvmlEventSet_t)&events ? OK : INVALID;
}
int nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutMs) {
  if (set != (nvmlEventSet_t)&events || timeoutMs != 0) return INVALID;
  if (++events > 3) return TIMEOUT;
  memset(data, 0, sizeof *data);
  data->device = &devices[0];
  data->eventType = 8;
  data->eventData = events == 3 ? 94 : 63;
  data->gpuInstanceId = data->computeInstanceId = ~0U;
  return OK;
}

#ifdef OLD_DRIVER
int nvmlDeviceGetViolationStatus(nvmlDevice_t d, int policy, nvmlViolationTime_t *time) {
  if (policy > 2) return NOT_SUPPORTED;
  time->referenceTime = 1;
  time->violationTime = 1500000000ULL * (policy + 1);
  return answer(d);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t d, unsigned long long *mask) { *mask = 0x24; return answer(d); }
#else
int nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t d, unsigned long long *mask) { *mask = 0x4ULL | (1ULL << 40); return answer(d); }
int nvmlDeviceGetTemperatureV(nvmlDevice_t d, nvmlTemperature_v1_t *t) {
  if (t->version != VERSION_OF(nvmlTemperature_v1_t, 1) || t->sensorType != 0) return BAD_VERSION;
  t->temperature = 62;
  return answer(d);
}
int nvmlDeviceGetFieldValues(nvmlDevice_t d, int count, nvmlFieldValue_t *values) {
  for (int i = 0; i < count; i++) {
    values[i].nvmlReturn = OK;
    if (values[i].fieldId == 82) { values[i].valueType = 1; values[i].value.uiVal = 71; }
    else if (values[i].fieldId >= 74 && values[i].fieldId <= 76) { values[i].valueType = 3; values[i].value.ullVal = 1500000000ULL * (values[i].fieldId - 73); }
    else if ((values[i].fieldId == 140 || values[i].fieldId == 141) && values[i].scopeId == ~0U) { values[i].valueType = 3; values[i].value.ullVal = 1000 + values[i].fieldId; }
    else values[i].nvmlReturn = NOT_SUPPORTED;
  }
  return answer(d);
}
int nvmlGpmQueryDeviceSupport(nvmlDevice_t d, nvmlGpmSupport_t *support) {
  if (support->version != 1) return BAD_VERSION;
  support->isSupportedDevice = 1;
  return answer(d);
}
int nvmlGpmSampleAlloc(nvmlGpmSample_t *sample) { *sample = calloc(1, 64); return OK; }
int nvmlGpmSampleGet(nvmlDevice_t d, nvmlGpmSample_t sample) { *(unsigned long long *)sample = calls; return answer(d); }
int nvmlGpmMigSampleGet(nvmlDevice_t d, unsigned int instance, nvmlGpmSample_t sample) {
  *(unsigned long long *)sample = calls;
  return instance == 1 || instance == 5 ? answer(d) : INVALID;
}
int nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get) {
  if (get->version != 1) return BAD_VERSION;
  if (*(unsigned long long *)get->sample1 >= *(unsigned long long *)get->sample2) return INVALID;
  for (unsigned int i = 0; i < get->numMetrics; i++) {
    get->metrics[i].nvmlReturn = get->metrics[i].metricId == 10 ? NOT_SUPPORTED : OK;
    get->metrics[i].value = get->metrics[i].metricId + 0.5;
    get->metrics[i].metricInfo.unit = "%";
  }
  return OK;
}
#endif
