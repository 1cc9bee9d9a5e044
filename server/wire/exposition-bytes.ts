/** Bits of `BYTE_CLASS`. */
export const NAME_START = 1;
export const NAME_PART = 2;
export const LABEL_START = 4;
export const LABEL_PART = 8;
export const BLANK = 16;

export const TAB = 0x09;
export const NEWLINE = 0x0a;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
export const OPEN = 0x7b;
export const CLOSE = 0x7d;

/** What each byte may be in an exposition. */
export const BYTE_CLASS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if (/[a-zA-Z_]/.test(char)) return NAME_START | NAME_PART | LABEL_START | LABEL_PART;
  if (char === ':') return NAME_START | NAME_PART;
  if (/[0-9]/.test(char)) return NAME_PART | LABEL_PART;
  return byte === SPACE || byte === TAB ? BLANK : 0;
});

/** A byte of the syntax for an error; what can't be shown, or might be text, is only named. */
export function describeByte(byte: number | undefined): string {
  if (byte === undefined) return 'the end';
  if (byte === NEWLINE) return 'the end of the line';
  if (byte === SPACE) return 'a space';
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
