/** What `--help` prints. */
export const HELP = `barograph gateway --upstream URL [options]
  Stands between clients and an OpenAI-compatible API (vLLM, SGLang, llama.cpp, OpenAI, Azure, OpenRouter, Anthropic, …),
  passes every byte on as it comes, and measures what passes: time to the first token, tokens, speed, outcome, retries,
  by model and class, with a trace that goes on upstream. Nothing of a prompt or an answer is kept, sent or logged.
  Clients change one thing: the base URL.

Look first
  Before a vLLM of your own; metrics at http://127.0.0.1:9432/metrics:
      barograph gateway --upstream http://127.0.0.1:8000
      OPENAI_BASE_URL=http://127.0.0.1:7075/v1 python my_service.py
  Before OpenAI, into Barograph or any other OTLP receiver, traces and events too:
      barograph gateway --upstream https://api.openai.com --otlp-endpoint http://127.0.0.1:4318
  Before Anthropic:
      barograph gateway --upstream https://api.anthropic.com         ANTHROPIC_BASE_URL=http://127.0.0.1:7075

What is measured: POST to paths that end in /chat/completions, /completions, /responses, /embeddings and /messages.
Everything else goes through as it is, WebSockets too.

Upstream
  --upstream URL                what stands before /v1: http://10.0.0.5:8000, https://openrouter.ai/api
  --connect-timeout SECONDS     (10)   --first-byte-timeout SECONDS (600)   --idle-timeout SECONDS between pieces (300)
  --ca-file FILE, --insecure-skip-verify                        for upstreams with TLS
  --no-resend                   a request whose pooled connection was closed by the upstream before it answered is sent
                                again, twice at most; with this it is a 502
Classes, by what stands around a request and never by what is in it. Labels: prompt_class, customer_tier, deployment,
environment, region, gpu_type, adapter
  --label deployment=chat       on every request
  --route /v1/embeddings,prompt_class=indexing                  by path
  --label-from-header 'customer_tier=x-tier:free|pro'           by header, out of this list; else it is "other"
  --model 'gpt-5*=gpt-5'        model_version of requests for such models; else it is the model that answers

Usage
  --ask-usage                   Streams tell their tokens only if they are asked to. With this, streams of completions
                                whose client says nothing of stream_options are asked, and the event with the usage is
                                taken out again. Such streams aren't byte for byte what the upstream would have sent:
                                some servers add "usage":null to each chunk. The answer has x-barograph-usage. Off by
                                default; then such streams have no token counts, and no estimate stands in for them.
Telemetry
  --metrics-listen HOST:PORT    /metrics and /-/healthy, or off (127.0.0.1:9432)
  --otlp-endpoint URL           metrics, spans and events, over HTTP; --otlp-every SECONDS (15)
  --service-name NAME           (barograph-gateway)   --no-events   no event a request
                                OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES hold too
Running
  --listen HOST:PORT            (127.0.0.1:7075)
  --max-connections N           (10000)   --measuring-memory-mib MIB (64); what doesn't fit passes unmeasured, and is
                                counted in barograph_gateway_unmeasured_total
  --drain SECONDS               that requests under way have at the end (30)
  --help, --version

When the upstream can't be reached clients get 502, when it is too slow 504, with an error as the API has it and the
header x-barograph-gateway-error. A stream that breaks upstream breaks for the client too.
`;
