import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_VIEW, parseSpanSeconds, parseView, printSpan, printView, type ViewState } from './url-state.ts';

const moments = fc.integer({ min: 1, max: 99_999_999_999_999 });
const range = fc.oneof(
  fc.record({ kind: fc.constant('last' as const), spanSeconds: fc.integer({ min: 1, max: 400 * 86_400 }) }),
  fc
    .tuple(moments, moments)
    .filter(([a, b]) => a !== b)
    .map(([a, b]) => ({ kind: 'fixed' as const, fromMs: Math.min(a, b), toMs: Math.max(a, b) })),
);
const filters = fc.dictionary(
  fc.constantFrom('model_version', 'region', 'customer_tier'),
  fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 3 }),
  { noNullPrototype: true },
);
const views: fc.Arbitrary<ViewState> = fc.record(
  {
    range,
    live: fc.boolean(),
    filters,
    theme: fc.constantFrom('auto' as const, 'light' as const, 'dark' as const),
    moment: fc.record({ timeMs: moments, panelId: fc.constantFrom('', 'ttft', 'gpu-memory') }),
    traceId: fc.stringMatching(/^[0-9a-f]{32}$/),
    page: fc.constant('cardinality' as const),
    costBy: fc.constantFrom('team', 'customer_tier'),
    subject: fc.record({
      kind: fc.constantFrom('metric' as const, 'label' as const),
      name: fc.string({ minLength: 1, unit: 'grapheme' }),
    }),
  },
  { requiredKeys: ['range', 'live', 'filters', 'theme'] },
);

describe('the URL', () => {
  test('holds the whole view', () => {
    fc.assert(
      fc.property(views, (view) => {
        expect(parseView(printView(view))).toEqual(view);
      }),
    );
  });

  test('is empty for the default view', () => {
    expect(printView(DEFAULT_VIEW)).toBe('');
    expect(parseView('')).toEqual(DEFAULT_VIEW);
  });

  test.each([
    'from=5&to=4',
    'from=x&to=9',
    'range=forever',
    'range=900d',
    'trace=zz',
    'theme=pink',
    'at=soon',
    'f.Bad-Name=1',
    'f.region=',
    'view=elsewhere',
    'metric=',
    '%',
  ])('%s opens the default view', (search) => {
    expect(parseView(search)).toEqual(DEFAULT_VIEW);
  });
});

test('spans print in their largest whole unit', () => {
  expect([900, 90, 7200, 172_800, 86_400].map(printSpan)).toEqual(['15m', '90s', '2h', '2d', '24h']);
  expect(parseSpanSeconds('0m')).toBeUndefined();
});
