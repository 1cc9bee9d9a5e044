import { SIMULATE_HELP } from '../simulate/index.ts';
import { VERSION } from './version.ts';

const SERVE_HELP = `barograph serve [--config FILE] [--policy FILE] [--scrape-config FILE] [--data DIR] [--host HOST] [--port PORT]
                  [--otlp-http-port PORT] [--otlp-grpc-port PORT] [--log-level LEVEL]
      Receives Prometheus remote write on /api/v1/write, Loki push on /loki/api/v1/push and OTLP on
      /v1/{metrics,logs,traces}, and answers as Prometheus, Loki and Tempo do, all on one port (7070 on
      127.0.0.1), where the pane is too. OTLP comes in on 4318 (HTTP) and 4317 (gRPC) as well. Port 0 takes a
      free one; with --port 0 the other two do so too where nothing else is said.
      It scrapes what scrape.scrape_configs of the configuration name, or a prometheus.yml: of --scrape-config FILE
      global and scrape_configs are taken.

      Send from a Prometheus:      remote_write: [{url: http://127.0.0.1:7070/api/v1/write}]
      Scrape as your Prometheus does:
                                   barograph serve --scrape-config /etc/prometheus/prometheus.yml
      Send from an OpenTelemetry SDK:
                                   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
      Ask with promtool:           promtool query instant http://127.0.0.1:7070 'up'
      What was removed or folded:  curl -s http://127.0.0.1:7070/metrics | grep barograph_govern
`;

const DEMO_HELP = `barograph demo [--host HOST] [--port PORT] [--otlp-http-port PORT] [--otlp-grpc-port PORT]
               [--data DIR] [--seed N] [--trace FILE] [--backfill TIME]
      A server with a simulated inference fleet beside it: the last hour is filled in as fast as the server
      acknowledges it, then the fleet goes on live. It says which incidents there are and when. Without --data
      everything is kept in a temporary folder that is removed at the end. FILE is a CSV of real arrivals:
      TIMESTAMP,ContextTokens,GeneratedTokens.

      Look at it:                  barograph demo                      then http://127.0.0.1:7070
      Six hours of another fleet:  barograph demo --seed 7 --backfill 6h
      Beside another server:       barograph demo --port 0
      Keep what it stored:         barograph demo --data ./demo-data
`;

const CHECK_HELP = `barograph check [--policy FILE | --config FILE] [--format text|json|sarif] [--kind KIND] [--targets N]
                [--fail-on error|warning] FILE|URL...
      Says what the policy would do to what stands in the files, before anything is deployed: an exporter's /metrics
      (text, or a URL), an OTLP JSON capture, a rule file of Prometheus or of Loki's ruler, a Grafana dashboard. Prints
      the projected series, which label breaks which budget, and which rule or panel (PromQL, LogQL, TraceQL) asks for a
      label or an attribute that will not exist, or groups by an identifier. Ends with 1 where there are problems. KIND
      is metrics, otlp, rules, loki_rules or dashboard where a file doesn't show it by itself; N is how many targets will
      expose the same. - reads standard input.

      In a pull request:           barograph check --format sarif rules/*.yaml dashboards/*.json > check.sarif
      Before an exporter goes out: barograph check --targets 200 http://127.0.0.1:9400/metrics
`;

const POLICY_HELP = `barograph policy print|check [--policy FILE | --config FILE]
      print shows the policy in force: the conventions', with what the file changes, as YAML that can be read back.
      check only says whether the file is right.
`;

const GATEWAY_HELP = `barograph gateway --upstream URL [--listen HOST:PORT] [--otlp-endpoint URL] [options]
      A reverse proxy before an OpenAI-compatible API or Anthropic's: passes every byte on as it comes and measures time
      to the first token, tokens, speed and outcome, without a change of code. Metrics at 127.0.0.1:9432/metrics, and by
      OTLP with spans and events. barograph gateway --help says the rest.

      Before a vLLM:               barograph gateway --upstream http://127.0.0.1:8000 --otlp-endpoint http://127.0.0.1:4318
      Point a client at it:        OPENAI_BASE_URL=http://127.0.0.1:7075/v1
`;

const CANARY_HELP = `barograph canary [--url URL] [--token TOKEN] [--json]
      Has a running server prove that it keeps no content: it sends prompts with marks that nobody can guess through every
      receiver, in many places and encodings, and searches its tables, files, log output and answers for them. Ends with 0
      where none is found, 1 otherwise. What it sends is deleted. The server does so by itself once a day as well; the
      token is also taken from BAROGRAPH_TOKEN.

      Prove it now:                barograph canary
      When it was clean last:      curl -s http://127.0.0.1:7070/metrics | grep barograph_canary
`;

const SLO_HELP = `barograph slo generate|check|import [--format rules|openslo] [--owner NAME] [--runbook-url URL] [--impact TEXT] FILE...
      Makes Prometheus rules of objectives: sums of good and all events, burn over several windows, alerts of the classes
      page and notify, the budget that is left. FILE holds Barograph's own objectives, a Sloth specification, Pyrra
      objectives or OpenSLO; import prints any of them as Barograph's own. What a page must have and a file doesn't say
      is taken from --owner, --runbook-url and --impact. - reads standard input.

      Rules for any Prometheus:    barograph slo generate slo.yaml > slo.rules.yaml
      In a pull request:           barograph slo check slo/*.yaml
      From Sloth:                  barograph slo import --runbook-url https://wiki/x --impact 'Logins fail' sloth.yaml
`;

/** What each command prints when it is asked for help. */
export const COMMAND_HELP: Readonly<
  Record<'serve' | 'demo' | 'simulate' | 'check' | 'policy' | 'slo' | 'canary' | 'gateway', string>
> = {
  serve: SERVE_HELP,
  demo: DEMO_HELP,
  simulate: SIMULATE_HELP,
  check: CHECK_HELP,
  policy: POLICY_HELP,
  slo: SLO_HELP,
  canary: CANARY_HELP,
  gateway: GATEWAY_HELP,
};

/** The text of `barograph --help`: every command with its examples. */
export const HELP = [
  `barograph ${VERSION}: observability for LLM inference, in one process\n`,
  ...Object.values(COMMAND_HELP).map((text) => text.replaceAll(/^(?=.)/gm, '  ')),
  '  barograph --help | --version        barograph COMMAND --help prints the help of one\n',
].join('\n');
