import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../model/index.ts';
import { createGovernor } from './governor.ts';
import { LOG_LINES, SPOKEN_LINES, UNSEEN_LINES } from './speech.data.ts';
import { cutSpeech, speaks } from './speech.ts';

function governed(line: string): string | undefined {
  const entry: LogEntry = { stream: ['job', 'vllm'], timestampNs: 5n, line, metadata: [] };
  return createGovernor().governLog(entry, 'otlp')?.line;
}

describe('speech', () => {
  it('is told from log lines: precision ≥ 0.98, recall ≥ 0.95', () => {
    const taken = LOG_LINES.filter(speaks);
    const missed = SPOKEN_LINES.filter((line) => !speaks(line));
    const found = SPOKEN_LINES.length - missed.length;
    expect({ taken, missed }).toEqual({
      taken: ['who am i: uid=1000(app) gid=1000(app)'],
      missed: ['plan me a three day trip to rome with my kids'],
    });
    expect(found / (found + taken.length)).toBeGreaterThanOrEqual(0.98);
    expect(found / SPOKEN_LINES.length).toBeGreaterThanOrEqual(0.95);
  });

  it('is not seen where nobody says who speaks', () => {
    expect(UNSEEN_LINES.filter(speaks)).toEqual([]);
  });

  it('leaves the other lines of programs as they are, whatever else is looked for in them', () => {
    expect(LOG_LINES.filter((line) => !speaks(line) && governed(line) !== line)).toEqual([]);
  });

  it('is cut out behind the time, level and source of a line', () => {
    expect(cutSpeech('INFO 08-05 12:00:00 [app.py:3] tell me why my cat is sad', '#')).toBe(
      'INFO 08-05 12:00:00 [app.py:3] #',
    );
    expect(cutSpeech('My zanzibar does not start, can you help', '#')).toBe('#');
    expect(governed('{"level":"info","message":"please tell me why my zanzibar is sad"}')).toBe(
      '{"level":"info","message":"[removed]"}',
    );
  });
});
