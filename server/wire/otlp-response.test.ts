import { expect, test } from 'vitest';
import { oracleDecode, otlpProto } from './oracle.data.ts';
import { encodeExportResponse, exportResponseJson } from './otlp-response.ts';
import { encodeRpcStatus, rpcStatusJson } from './rpc-status.ts';

test('full success is an empty message', () => {
  expect(encodeExportResponse()).toHaveLength(0);
  expect(exportResponseJson('logs')).toBe('{}');
});

test('a partial success says how many and why, in both encodings', () => {
  const partial = { rejected: 3, message: 'why' };
  expect(oracleDecode(otlpProto, 'otlp.ExportResponse', encodeExportResponse(partial))).toEqual({
    partial_success: { rejected: '3', error_message: 'why' },
  });
  expect(JSON.parse(exportResponseJson('metrics', partial))).toEqual({
    partialSuccess: { rejectedDataPoints: '3', errorMessage: 'why' },
  });
  expect(JSON.parse(exportResponseJson('traces', partial)).partialSuccess.rejectedSpans).toBe('3');
  expect(JSON.parse(exportResponseJson('logs', partial)).partialSuccess.rejectedLogRecords).toBe('3');
});

test('a warning has a message and rejects nothing', () => {
  const bytes = encodeExportResponse({ rejected: 0, message: 'careful' });
  expect(oracleDecode(otlpProto, 'otlp.ExportResponse', bytes)).toEqual({
    partial_success: { error_message: 'careful' },
  });
});

test('a status has code, message and when to try again', () => {
  const status = { code: 14, message: 'busy', retryDelayMs: 1500 };
  expect(oracleDecode(otlpProto, 'otlp.RpcStatus', encodeRpcStatus(status))).toEqual({
    code: 14,
    message: 'busy',
    details: [
      {
        type_url: 'type.googleapis.com/google.rpc.RetryInfo',
        value: { retry_delay: { seconds: '1', nanos: 500_000_000 } },
      },
    ],
  });
  expect(JSON.parse(rpcStatusJson(status))).toEqual({
    code: 14,
    message: 'busy',
    details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1.500s' }],
  });
  expect(JSON.parse(rpcStatusJson({ code: 3, message: 'm' }))).toEqual({ code: 3, message: 'm' });
});
