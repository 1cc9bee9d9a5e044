/** What a command line of a model server tells; never more of it than these names. */
export interface ServedModel {
  /** The name that clients ask for, or the model's own. */
  readonly model?: string;
  /** Whether the command line is that of a model server at all, so that looking at its parents is no use. */
  readonly isServer: boolean;
}

const SERVERS =
  /(?:^|[/\s])(?:vllm|sglang|text-generation-(?:launcher|server)|trtllm-serve|tritonserver|llama-server|lmdeploy|mlc_llm|ollama|tgi|aphrodite|tabbyapi|koboldcpp|infinity_emb)(?:[.\s/]|$)|vllm\.entrypoints|sglang\.launch_server|tensorrt_llm/i;
/** In order of how well they name it: what clients call the model goes before where it lies. */
const FLAGS: readonly (readonly string[])[] = [
  ['--served-model-name', '--served_model_name', '--model-name', '--model_name', '--alias', '-a'],
  ['--model', '--model-path', '--model_path', '--model-id', '--model_id', '-m'],
];
const COMMANDS = new Set(['serve', 'trtllm-serve']);
const MOST_BEFORE = 6;
const MOST_ARGUMENTS = 512;
const SAFE = /^[\w.@:+/-]{1,200}$/;

/**
 * Finds the model that a process serves in its command line (vLLM, SGLang, TGI, TensorRT-LLM, llama.cpp, LMDeploy and
 * servers with flags like theirs). Anything that doesn't look like a model's name is left alone.
 */
export function findServedModel(argv: readonly string[]): ServedModel {
  // What stands before the server is the interpreter's, such as the -m of Python.
  const at = argv.slice(0, MOST_BEFORE).findIndex((arg) => SERVERS.test(arg));
  if (at < 0) return { isServer: false };
  const args = argv.slice(at, at + MOST_ARGUMENTS);
  for (const flags of FLAGS)
    for (const [i, arg] of args.entries()) {
      const [flag, inline] = splitFlag(arg);
      if (!flags.includes(flag)) continue;
      const model = toModelName(inline ?? args[i + 1]);
      if (model !== undefined) return { model, isServer: true };
    }
  const command = args.findIndex((arg) => COMMANDS.has(arg.split('/').at(-1) ?? ''));
  const model = command < 0 ? undefined : toModelName(args[command + 1]);
  return model === undefined ? { isServer: true } : { model, isServer: true };
}

function splitFlag(arg: string): [string, string | undefined] {
  const at = arg.indexOf('=');
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

/**
 * A model's name of what stands in a command line: `meta-llama/Llama-3.1-8B` as it is, of a path its last part, of a
 * Hugging Face cache the repository. A hash, as Ollama names its files, is no name.
 */
export function toModelName(text: string | undefined): string | undefined {
  if (text === undefined || text.startsWith('-') || !SAFE.test(text)) return undefined;
  const cached = /models--([\w.-]+?)--([\w.-]+?)(?:\/|$)/.exec(text);
  if (cached) return `${cached[1]}/${cached[2]}`;
  const isPath = text.startsWith('/') || text.startsWith('.');
  const name = isPath ? text.replace(/\/+$/, '').split('/').at(-1)! : text;
  const bare = name.replace(/\.gguf$/, '').replace(/-\d{5}-of-\d{5}$/, '');
  return bare === '' || /^(?:sha256[-:])?[0-9a-f]{32,}$/i.test(bare) ? undefined : bare;
}
