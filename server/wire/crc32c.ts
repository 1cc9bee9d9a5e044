/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;

/** Tables for four bytes at a time: table k is the effect of a byte that k more bytes follow. */
const TABLES = buildTables();

/** The CRC-32C (Castagnoli) of bytes, as an unsigned number. Source: RFC 3720 B.4. */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES;
  let crc = -1;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc = t3[crc & 0xff] ^ t2[(crc >>> 8) & 0xff] ^ t1[(crc >>> 16) & 0xff] ^ t0[crc >>> 24];
  }
  for (; i < bytes.length; i++) crc = t0[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

function buildTables(): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    return crc;
  });
  const tables = [first];
  for (let k = 1; k < 4; k++) {
    const before = tables[k - 1];
    tables.push(before.map((crc) => first[crc & 0xff] ^ (crc >>> 8)));
  }
  return tables;
}
