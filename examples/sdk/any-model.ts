// A model behind an HTTP API of your own, measured by hand:
//   MODEL_URL=http://127.0.0.1:8000/v1 node --import @barograph/sdk/register examples/sdk/any-model.ts
import { inference, type TokenKind } from '@barograph/sdk';

interface Piece {
  readonly model: string;
  readonly choices: readonly {
    readonly delta: { readonly content?: string; readonly reasoning_content?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

const url = `${process.env.MODEL_URL ?? 'http://127.0.0.1:8000/v1'}/chat/completions`;

/** The data of server-sent events, parsed. */
async function* readPieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true });
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    for (const frame of frames) if (frame.startsWith('data: {')) yield JSON.parse(frame.slice(6)) as Piece;
  }
}

const request = inference({ provider: 'openai', model: 'llama-3.3-70b', prompt_class: 'chat', streamed: true });
try {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'llama-3.3-70b',
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: 'user', content: 'Why is the sky blue?' }],
    }),
  });
  let last: Piece | undefined;
  let finishReason: string | null = null;
  let hasOutput = false;
  for await (const piece of readPieces(response.body as unknown as AsyncIterable<Uint8Array>)) {
    last = piece;
    const [choice] = piece.choices;
    finishReason = choice?.finish_reason ?? finishReason;
    // Pieces with a role alone are no token, and nobody knows how many tokens the others have.
    const kind: TokenKind | undefined = choice?.delta.content
      ? 'visible'
      : choice?.delta.reasoning_content
        ? 'reasoning'
        : undefined;
    if (kind) request.chunk(kind);
    if (kind === 'visible') hasOutput = true;
  }
  request.end({
    httpStatus: response.status,
    finishReasons: [finishReason],
    streamEnded: finishReason !== null,
    hasOutput,
    responseModel: last?.model,
    usage: { inputTokens: last?.usage?.prompt_tokens, outputTokens: last?.usage?.completion_tokens },
  });
  console.log(`the answer ended with ${finishReason}`);
} catch (error) {
  request.fail(error);
  throw error;
}
