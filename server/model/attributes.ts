/**
 * An attribute's value as OTLP knows it. Integers and doubles are both numbers (integers beyond 2^53 lose precision, as
 * in every JSON client); bytes are base64 text; maps nest.
 */
export type AttributeValue = string | number | boolean | null | AttributeValue[] | { [key: string]: AttributeValue };

/** Attributes by name. */
export type Attributes = Record<string, AttributeValue>;
