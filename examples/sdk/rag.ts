// A request's whole path with its steps, an event and signals of quality:
//   MODEL_URL=http://127.0.0.1:8000/v1 node --import @barograph/sdk/register examples/sdk/rag.ts
import {
  authenticate,
  event,
  gateway,
  modelInference,
  outputFiltering,
  promptBuild,
  quality,
  vectorSearch,
} from '@barograph/sdk';

const url = `${process.env.MODEL_URL ?? 'http://127.0.0.1:8000/v1'}/chat/completions`;
const labels = { customer_tier: 'pro' } as const;

interface Completion {
  readonly model: string;
  readonly choices: readonly { readonly message: { readonly content: string }; readonly finish_reason: string }[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

async function ask(messages: readonly object[]): Promise<string> {
  const request = {
    provider: 'openai',
    model: 'llama-3.3-70b',
    prompt_class: 'rag',
    streamed: false,
    ...labels,
  } as const;
  return await modelInference(request, async (inference) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: request.model, messages }),
    });
    const answer = (await response.json()) as Completion;
    inference.end({
      httpStatus: response.status,
      finishReasons: answer.choices.map((choice) => choice.finish_reason),
      hasOutput: answer.choices.some((choice) => choice.message.content !== ''),
      responseModel: answer.model,
      usage: { inputTokens: answer.usage.prompt_tokens, outputTokens: answer.usage.completion_tokens },
    });
    return answer.choices[0].message.content;
  });
}

await gateway(async () => {
  authenticate(() => undefined);
  const documents = await vectorSearch({ system: 'qdrant', collection: 'docs', topK: 2 }, async (step) => {
    const found = ['Light scatters.', 'Blue scatters most.'];
    step.number('documents', found.length);
    return found;
  });
  const messages = promptBuild({ prompt_class: 'rag', template: 'support' }, () => [
    { role: 'system', content: documents.join(' ') },
    { role: 'user', content: 'Why is the sky blue?' },
  ]);
  const answer = await ask(messages);
  const safe = outputFiltering((step) => {
    if (!answer.includes('@')) return answer;
    step.triggered('pii');
    return 'The answer was withheld.';
  });
  quality('groundedness', safe.includes('scatter') ? 1 : 0, labels);
  event('answer.delivered', { ...labels, numbers: { documents: documents.length, characters: safe.length } });
});
