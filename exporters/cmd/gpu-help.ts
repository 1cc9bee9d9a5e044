/** What `barograph-gpu-exporter --help` prints. */
export const GPU_HELP = `barograph-gpu-exporter: what the GPUs of a machine do, under one set of names

Reads NVIDIA and AMD GPUs from whatever is there, and gives gpu_* metrics to Prometheus or by OTLP. What can't be read
is absent, never 0. It changes nothing on a GPU.

Start here:
  barograph-gpu-exporter --check        which sources answer, what is missing, and how to get it
  barograph-gpu-exporter --once         the metrics, once, on standard output
  barograph-gpu-exporter                serves http://127.0.0.1:9836/metrics until it is stopped

Sources, tried in this order and combined: of two that know a metric the earlier one counts.
  dcgm          dcgm-exporter's endpoint: what NVIDIA's profiling counters know
  dcgmi         DCGM's host engine (nv-hostengine), through the command; asked only while dcgm doesn't answer
  nvml          NVIDIA's library, through the npm package koffi where that is installed: cheap, exact, Xid as events
  nvidia-smi    the command; asked only while nvml doesn't answer
  amd-exporter  AMD's device-metrics-exporter
  amd-smi       the command; asked only while amd-exporter doesn't answer

  --source NAME             only this one; repeat it for several. One that is named is reported while it is down
  --dcgm-url URL            (http://127.0.0.1:9400/metrics)
  --dcgmi COMMAND           (dcgmi)             --dcgm-host HOST[:PORT]   where nv-hostengine is (this machine)
  --amd-url URL             (http://127.0.0.1:5000/metrics)
  --nvidia-smi COMMAND      (nvidia-smi)        --amd-smi COMMAND    (amd-smi)
  --nvml-library FILE       (libnvidia-ml.so.1, where drivers put it)
  --kernel-log FILE         where Xid errors are read beside nvidia-smi (/dev/kmsg, as root); "" doesn't look
  --interval TIME           how often sources are asked (5s; nvidia-smi no oftener than 10s, amd-smi than 15s)
  --timeout TIME            how long one may take (10s). A hanging one is left behind and reported; /metrics goes on

Who uses the GPUs: gpu_workload_info{uuid, deployment, model_version, …}, a series for as long as it is true.
  --pod-resources SOCKET    the kubelet's (/var/lib/kubelet/pod-resources/kubelet.sock); "" doesn't ask
  --proc DIRECTORY          /proc of the host, for the model in a server's command line (/proc); "" doesn't look
  --deployment NAME         for what neither Kubernetes nor systemd names

Output:
  --listen HOST:PORT        (127.0.0.1:9836); port 0 takes a free one
  --node NAME               the label node (the host's name)
  --label NAME=VALUE        on every GPU's series, such as region=eu-west; repeat it for several
  --otlp-endpoint URL       send by OTLP over HTTP (JSON) as well, such as http://127.0.0.1:4318
  --otlp-header NAME=VALUE  --otlp-interval TIME (15s)
  --silent-after TIME       how long a value may stand still under load until it isn't believed (2m)
  --once [--format text|openmetrics|otlp]
  --print-dcgm-counters     the file that makes dcgm-exporter give all of the contract; use it with its option -f
  --help | --version

Examples:
  SM occupancy from dcgm-exporter, which leaves it out by default:
    barograph-gpu-exporter --print-dcgm-counters > counters.csv
    dcgm-exporter -f counters.csv
  Scraped by Barograph or Prometheus:
    scrape_configs: [{job_name: gpu, static_configs: [{targets: ['127.0.0.1:9836']}]}]
  Pushed to Barograph:
    barograph-gpu-exporter --otlp-endpoint http://127.0.0.1:4318 --label region=eu-west
  Memory of the GPUs that serve a deployment, and what each of those that share one takes of it:
    sum by (deployment, model_version) (gpu_memory_used_bytes * on (uuid) group_right gpu_workload_info)
    sum by (deployment, model_version) (gpu_workload_memory_used_bytes)
  Alert on these, whatever else you alert on:
    gpu_up == 0        gpu_silent == 1        increase(gpu_xid_errors_total[5m]) > 0
`;
