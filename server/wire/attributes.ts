import type { Attributes, AttributeValue } from '../model/index.ts';

/**
 * Sets an attribute; of a key that occurs twice the last value wins. A key named `__proto__` becomes an ordinary
 * property instead of changing the object's prototype.
 */
export function setAttribute(attributes: { [key: string]: AttributeValue }, key: string, value: AttributeValue): void {
  if (key === '__proto__') {
    Object.defineProperty(attributes, key, { value, writable: true, enumerable: true, configurable: true });
    return;
  }
  attributes[key] = value;
}

/**
 * An attribute's value as text, as the collector's `AsString` writes it: strings as they are, numbers and booleans as in
 * JSON, absent values as '', lists and maps as JSON with sorted keys. Source: open-telemetry/opentelemetry-collector
 * pdata/pcommon.
 */
export function attributeText(value: AttributeValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null) return '';
  return JSON.stringify(sortKeys(value));
}

/** An attribute's text, or `undefined` where the attribute is absent. */
export function attributeTextOf(attributes: Attributes, key: string): string | undefined {
  return Object.hasOwn(attributes, key) ? attributeText(attributes[key]) : undefined;
}

function sortKeys(value: AttributeValue): AttributeValue {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const sorted: { [key: string]: AttributeValue } = {};
  for (const key of Object.keys(value).sort()) setAttribute(sorted, key, sortKeys(value[key]));
  return sorted;
}
