import { describe, expect, it } from 'vitest';
import { chooseFormat, type Family, formatFamilies } from './write.ts';

const FAMILIES: readonly Family[] = [
  {
    name: 'gpu_up',
    type: 'gauge',
    unit: '1',
    help: 'Up "or" not\\.',
    samples: [{ labels: { gpu: '0', node: 'a"b\n' }, value: 1 }],
  },
  {
    name: 'gpu_xid_errors_total',
    type: 'counter',
    unit: '{error}',
    help: 'Errors.',
    samples: [{ labels: { xid: '79' }, value: 2, sinceMs: 1_700_000_000_500 }],
  },
];

describe('formatFamilies', () => {
  it('writes the text that Prometheus has read since 2014', () => {
    expect(formatFamilies(FAMILIES, 'text')).toBe(`# HELP gpu_up Up "or" not\\\\.
# TYPE gpu_up gauge
gpu_up{gpu="0",node="a\\"b\\n"} 1
# HELP gpu_xid_errors_total Errors.
# TYPE gpu_xid_errors_total counter
gpu_xid_errors_total{xid="79"} 2
`);
  });

  it('writes OpenMetrics, with the times since which counters count', () => {
    expect(formatFamilies(FAMILIES, 'openmetrics')).toBe(`# HELP gpu_up Up \\"or\\" not\\\\.
# TYPE gpu_up gauge
gpu_up{gpu="0",node="a\\"b\\n"} 1
# HELP gpu_xid_errors Errors.
# TYPE gpu_xid_errors counter
gpu_xid_errors_total{xid="79"} 2
gpu_xid_errors_created{xid="79"} 1700000000.5
# EOF
`);
  });
});

it.each([
  [undefined, 'text'],
  ['*/*', 'text'],
  ['text/plain;version=0.0.4', 'text'],
  ['application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5', 'openmetrics'],
  ['application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5', 'text'],
  ['application/openmetrics-text;version=0.0.1,text/plain;q=0.1', 'text'],
  [
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;q=0.6',
    'openmetrics',
  ],
])('chooseFormat(%j) is %s', (accept, format) => expect(chooseFormat(accept)).toBe(format));
