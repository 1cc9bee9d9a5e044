import { describe, expect, it } from 'vitest';
import { NO_LABELS } from '../model/index.ts';
import { withSeriesIds } from './exemplar-ids.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

describe('withSeriesIds', () => {
  it('gives an exemplar the IDs that were labels of its series, in order', () => {
    const series = ['__name__', 'a_total', 'region', 'eu', 'request_id', 'r-1', 'trace_id', TRACE];
    expect(withSeriesIds(['span_id', 'b7'], series)).toEqual(['request_id', 'r-1', 'span_id', 'b7', 'trace_id', TRACE]);
    expect(withSeriesIds(NO_LABELS, series)).toEqual(['request_id', 'r-1', 'trace_id', TRACE]);
  });

  it('leaves what the exemplar says itself, however it spells it', () => {
    const exemplar = ['traceID', 'aa'];
    expect(withSeriesIds(exemplar, ['__name__', 'a_total', 'trace_id', TRACE])).toBe(exemplar);
  });
});
