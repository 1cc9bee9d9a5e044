import { describe, expect, it } from 'vitest';
import { type Outcome, outcomeOf, type RequestEnd } from './index.ts';

const CASES: Readonly<Record<string, readonly [RequestEnd, Outcome]>> = {
  'An answer that stopped by itself is ok.': [{ httpStatus: 200, finishReasons: ['stop'], hasOutput: true }, 'ok'],
  'A tool call is an answer.': [{ finishReasons: ['tool_calls'], hasOutput: true }, 'ok'],
  'An unknown finish reason is no failure.': [{ finishReasons: ['eureka'], hasOutput: true }, 'ok'],
  'A finish reason named like a property of objects is unknown.': [{ finishReasons: ['constructor'] }, 'ok'],
  'A 200 with an error body is an error.': [{ httpStatus: 200, hasErrorBody: true, finishReasons: ['stop'] }, 'error'],
  'A stream that broke after a 200 is an error.': [{ httpStatus: 200, streamEnded: false, hasOutput: true }, 'error'],
  'A stream that the engine ended as broken is an error.': [{ finishReasons: ['error'], hasOutput: true }, 'error'],
  'A stream that broke under a length limit is an error.': [{ streamEnded: false, finishReasons: ['length'] }, 'error'],
  'An unknown error type is an error.': [{ errorType: 'ConnectionResetError' }, 'error'],
  'A rate limit is an error.': [{ httpStatus: 429, errorType: 'rate_limit_exceeded' }, 'error'],
  'A status alone is enough for an error.': [{ httpStatus: 503 }, 'error'],
  'A dotted class name counts by its last part.': [{ errorType: 'openai.APITimeoutError' }, 'timeout'],
  'A timeout of a client for JavaScript is a timeout.': [{ errorType: 'APIConnectionTimeoutError' }, 'timeout'],
  'A gateway timeout is a timeout.': [{ httpStatus: 504 }, 'timeout'],
  'A status as error type counts.': [{ errorType: '504' }, 'timeout'],
  'An abort by the user is cancelled, though the stream broke.': [
    { errorType: 'AbortError', streamEnded: false },
    'cancelled',
  ],
  'An engine that dropped the request says cancelled.': [{ finishReasons: ['abort'] }, 'cancelled'],
  'A content filter that answers with an error refuses.': [{ httpStatus: 400, errorType: 'content_filter' }, 'refused'],
  'A filtered answer is refused.': [{ httpStatus: 200, finishReasons: ['content_filter'] }, 'refused'],
  'Case does not matter.': [{ finishReasons: ['SAFETY'] }, 'refused'],
  'A filtered answer without output is refused and not empty.': [
    { finishReasons: ['SAFETY'], hasOutput: false },
    'refused',
  ],
  'A cut answer is truncated.': [{ finishReasons: ['length'], hasOutput: true }, 'truncated'],
  'An answer without output is empty.': [{ httpStatus: 200, finishReasons: ['stop'], hasOutput: false }, 'empty'],
  'Reasoning that used up the limit leaves an empty answer.': [
    { finishReasons: ['length'], hasOutput: false },
    'empty',
  ],
  'The worst of several choices decides.': [{ finishReasons: ['stop', 'length', 'content_filter'] }, 'refused'],
  'A choice without a reason says nothing.': [{ finishReasons: [null, 'stop'], hasOutput: true }, 'ok'],
};

describe('outcomeOf', () => {
  for (const [sentence, [end, outcome]] of Object.entries(CASES))
    it(sentence, () => expect(outcomeOf(end)).toBe(outcome));
});
