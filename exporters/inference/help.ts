import { ENGINE_METRICS } from '../generated/conventions.ts';

const engines = Object.values(ENGINE_METRICS)
  .map(({ title, setup, ports, paths }) => `  ${title}, port ${ports[0]}, ${paths[0]}\n      ${setup}`)
  .join('\n');

/** What `--help` prints. */
export const HELP = `barograph-inference-exporter [options] [host:port…]
  Asks model servers and the gateways before them for their metrics, whatever engine they run, and gives one set of
  inference_* metrics for all of them, with one meaning and one unit each. What an engine calls otherwise since an
  upgrade is reported and not dropped in silence.

Look first
  Which engine is it, what is mapped, what is missing and how is it switched on?
      barograph-inference-exporter --check 10.0.0.5:8000
  What would be scraped?
      barograph-inference-exporter --once --target 10.0.0.5:8000,deployment=chat

Run it
  Three servers:
      barograph-inference-exporter 10.0.0.5:8000 10.0.0.6:30000 10.0.0.7:8080
  Let Prometheus, Barograph or Grafana Alloy scrape it:
      scrape_configs: [{job_name: inference, static_configs: [{targets: ['127.0.0.1:9431']}]}]
  Or send it by OTLP:
      barograph-inference-exporter --kubernetes --otlp-endpoint http://127.0.0.1:4318

Targets; all of these may be given together and again
  --target HOST:PORT[/PATH][,LABEL=VALUE…]  one server; without a path the usual ones are tried
  --targets-file FILE.json      [{"targets": ["10.0.0.5:8000"], "labels": {"deployment": "chat"}}], as Prometheus's
                                file discovery has it; one * may stand in the file's name; changes are seen at once
  --targets-url URL             the same list from a server, as Prometheus's HTTP discovery asks for it
  --dns NAME:PORT               the addresses of a name, such as a headless service; without a port its SRV records
  --kubernetes                  the pods of the cluster that run a known engine, by image, llm-d's and KServe's labels,
                                or the annotations barograph.io/scrape, /port, /path, /scheme, /label-NAME;
                                needs a service account that may list pods
  --kubernetes-namespace NAME, --kubernetes-selector LABELS     fewer of them
  --kubernetes-api URL, --kubernetes-token-file FILE, --kubernetes-ca-file FILE     from outside the cluster
  --discover-interval TIME      how often they are looked for (30s)

Asking
  --timeout TIME                for one server (5s)
  --bearer-token-file FILE      sent to the servers as Authorization; read for each request
  --ca-file FILE, --insecure-skip-verify                        for servers with TLS
  --max-body-bytes BYTES        of one answer (16777216)

Giving
  --listen HOST:PORT            where /metrics, /targets and /-/healthy are (127.0.0.1:9431)
  --count-at auto|engine|gateway|both
                                a gateway counts the requests of its engines again. auto takes from engines what they
                                give and the rest from gateways; time to first token is told apart by its stage
  --otlp-endpoint URL, --otlp-interval TIME (15s), --otlp-header NAME=VALUE
  --format text|openmetrics     for --once; /metrics goes by the Accept header
  --help, --version

Engines, and how their metrics are switched on
${engines}
  Ollama, port 11434, /api/ps
      It has no metrics of requests; its models are told as barograph_inference_exporter_model_*.
`;
