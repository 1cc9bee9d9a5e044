import { BarographError } from '../../model/index.ts';
import type { Position } from './ast.ts';

/** `line:column` of an offset, both from 1, columns in UTF-16 code units. */
export function lineColumn(query: string, offset: number): string {
  const before = query.slice(0, offset);
  const line = before.split('\n').length;
  return `${line}:${offset - (before.lastIndexOf('\n') + 1) + 1}`;
}

/** An error of syntax or type, in the form of Prometheus's: `1:5: parse error: …`. */
export function parseError(query: string, position: Position, message: string): BarographError {
  return new BarographError({
    code: 'promql_parse',
    status: 400,
    where: `${lineColumn(query, position.start)}: parse error: ${message}`,
  });
}

/** An error while evaluating, such as a many-to-many match. */
export function executionError(message: string): BarographError {
  return new BarographError({ code: 'promql_execution', status: 422, where: message });
}
