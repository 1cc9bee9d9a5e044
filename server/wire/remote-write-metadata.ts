import type { MetricMetadata } from '../model/index.ts';
import type { Cursor } from './cursor.ts';
import { METADATA_TYPES } from './remote-write.ts';
import type { SymbolTable } from './remote-write-symbols.ts';

/** What a remote write 2.0 series says about its metric. */
export interface SeriesMetadata {
  readonly type: number;
  readonly helpRef: number;
  readonly unitRef: number;
}

// message Metadata {
//   MetricType type = 1;
//   uint32 help_ref = 3;
//   uint32 unit_ref = 4;
// }
/** Reads a series' metadata; the references are looked up when its name is known. */
export function readMetadata(cursor: Cursor): SeriesMetadata {
  let [type, helpRef, unitRef] = [0, 0, 0];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        type = cursor.uint32('type');
        break;
      case 3:
        helpRef = cursor.uint32('help_ref');
        break;
      case 4:
        unitRef = cursor.uint32('unit_ref');
        break;
      default:
        cursor.skip();
    }
  }
  return { type, helpRef, unitRef };
}

/** Makes one entry a metric family of the metadata that every series repeats; lives for one request. */
export class MetadataCollector {
  readonly #symbols: SymbolTable;
  readonly #into: MetricMetadata[];
  /** Names, by symbol, whose metadata was taken. */
  readonly #seen: Uint8Array;
  readonly #families = new Set<string>();

  constructor(symbols: SymbolTable, into: MetricMetadata[]) {
    this.#symbols = symbols;
    this.#into = into;
    this.#seen = new Uint8Array(symbols.count);
  }

  add(metadata: SeriesMetadata, nameRef: number, native: boolean): void {
    if (this.#seen[nameRef] !== 0) return;
    this.#seen[nameRef] = 1;
    const symbols = this.#symbols;
    const type = METADATA_TYPES[metadata.type] ?? 'unknown';
    const text = (ref: number) => (ref > 0 && ref < symbols.count && symbols.isText(ref) ? symbols.string(ref) : '');
    const [help, unit] = [text(metadata.helpRef), text(metadata.unitRef)];
    if (type === 'unknown' && help === '' && unit === '') return;
    const name = symbols.string(nameRef);
    const parts = !native && (type === 'histogram' || type === 'gaugehistogram' || type === 'summary');
    const metric = parts ? name.replace(/_(?:bucket|g?count|g?sum)$/, '') : name;
    if (this.#families.has(metric)) return;
    this.#families.add(metric);
    this.#into.push({ metric, type, help, unit });
  }
}
