import { describe, expect, it } from 'vitest';
import { findServedModel, toModelName } from './model-name.ts';

describe('findServedModel', () => {
  it.each([
    ['python3 /usr/local/bin/vllm serve meta-llama/Llama-3.1-8B --port 8000', 'meta-llama/Llama-3.1-8B'],
    ['python3 -m vllm.entrypoints.openai.api_server --model /models/x --served-model-name chat-fast y', 'chat-fast'],
    ['vllm serve --model=mistralai/Mixtral-8x7B', 'mistralai/Mixtral-8x7B'],
    ['python3 -m sglang.launch_server --model-path Qwen/Qwen3-32B --tp 4', 'Qwen/Qwen3-32B'],
    ['text-generation-launcher --model-id bigcode/starcoder2', 'bigcode/starcoder2'],
    ['/app/llama-server -m /models/gemma-2-9b-it-Q4_K_M.gguf --alias gemma', 'gemma'],
    ['/app/llama-server -m /models/gemma-2-9b-00001-of-00002.gguf', 'gemma-2-9b'],
    ['trtllm-serve nvidia/Llama-3.3-70B-FP8 --tp_size 4', 'nvidia/Llama-3.3-70B-FP8'],
    ['vllm serve /root/.cache/huggingface/hub/models--org--name/snapshots/0123abcd', 'org/name'],
  ])('of %j finds %s', (line, model) => {
    expect(findServedModel(line.split(' '))).toEqual({ model, isServer: true });
  });

  it.each(['VLLM::Worker_TP0', 'python3 train.py --model secret', 'nginx -m x', ''])('of %j finds nothing', (line) => {
    expect(findServedModel(line.split(' '))).toEqual({ isServer: false });
  });

  it.each([
    'ollama runner --model /root/.ollama/models/blobs/sha256-6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa',
    'vllm serve --api-key s3cret',
    'vllm serve --model',
  ])('of %j finds a server without a name', (line) => {
    expect(findServedModel(line.split(' '))).toEqual({ isServer: true });
  });

  it('takes nothing that looks like text', () => {
    expect(toModelName('You are a helpful assistant.')).toBeUndefined();
    expect(toModelName('a'.repeat(201))).toBeUndefined();
  });
});
