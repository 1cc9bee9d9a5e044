import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAccept, parseMediaType } from './media-type.ts';
import { escapeName, unescapeName } from './name-escaping.ts';
import { negotiateExposition, SCRAPE_PROTOCOLS, scrapeAcceptHeader } from './scrape-negotiation.ts';

describe('scrapeAcceptHeader', () => {
  test('asks for protobuf first, as Prometheus does for native histograms', () => {
    expect(scrapeAcceptHeader()).toBe(
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,' +
        'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,' +
        'application/openmetrics-text;version=0.0.1;q=0.4,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,' +
        'text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    );
  });

  test.each(SCRAPE_PROTOCOLS)('is understood by our own exposition: %s', (protocol) => {
    expect(negotiateExposition(scrapeAcceptHeader([protocol])).protocol).toBe(protocol);
  });
});

describe('negotiateExposition', () => {
  test.each([
    [undefined, 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'],
    ['', 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'],
    ['text/html,*/*;q=0.8', 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'],
    ['application/json', 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'],
    [
      'text/plain;version=0.0.4;q=0.2, application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.9',
      'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
    ],
    [
      'application/openmetrics-text',
      'application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores',
    ],
    [
      'application/openmetrics-text;version=2.0.0, text/plain;version=1.0.0;escaping=dots',
      'text/plain; version=1.0.0; charset=utf-8; escaping=dots',
    ],
    ['text/plain;version=1.0.0;escaping=unknown', 'text/plain; version=1.0.0; charset=utf-8; escaping=underscores'],
    [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=values',
      'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=values',
    ],
    [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text',
      'text/plain; version=0.0.4; charset=utf-8; escaping=underscores',
    ],
  ])('%s', (accept, contentType) => {
    expect(negotiateExposition(accept).contentType).toBe(contentType);
  });
});

describe('parseAccept', () => {
  test('orders by weight, keeps equals in order, leaves out what is none', () => {
    const types = parseAccept('a/b;q=0.5, c/d, nonsense, e/f;q=0, g/h;q=2, i/j;q=0.5;x="a,b", */*;q=0.1');
    expect(types.map((t) => `${t.type} ${t.quality}`)).toEqual(['c/d 1', 'a/b 0.5', 'i/j 0.5', '*/* 0.1']);
    expect(types[2].parameters.get('x')).toBe('a,b');
  });

  test('reads quoted parameters', () => {
    expect(parseMediaType('Text/Plain; Charset="u\\"x" ;')?.parameters.get('charset')).toBe('u"x');
    expect(parseMediaType('text')).toBe(undefined);
    expect(parseMediaType('a/b; c')).toBe(undefined);
  });
});

describe('escapeName', () => {
  test.each([
    ['http.server.requests', 'underscores', 'http_server_requests'],
    ['http.server_x', 'dots', 'http_dot_server__x'],
    ['a_b', 'dots', 'a__b'],
    ['a b', 'dots', 'a__b'],
    ['http.server_x', 'values', 'U__http_2e_server__x'],
    ['9a', 'values', 'U___39_a'],
    ['花', 'values', 'U___82b1_'],
    ['a_b', 'values', 'a_b'],
    ['a.b', 'allow-utf-8', 'a.b'],
    ['', 'values', ''],
  ] as const)('%s by %s is %s', (name, scheme, escaped) => {
    expect(escapeName(name, scheme)).toBe(escaped);
  });

  test('by values can be undone', () => {
    const names = fc.string({ unit: 'grapheme', maxLength: 12 }).map((s) => s.toWellFormed());
    fc.assert(
      fc.property(names, (name) => {
        if (!name.startsWith('U__')) expect(unescapeName(escapeName(name, 'values'))).toBe(name);
      }),
    );
    expect(unescapeName('U__a_zz_')).toBe('U__a_zz_');
    expect(unescapeName('U__a_')).toBe('U__a_');
  });
});
