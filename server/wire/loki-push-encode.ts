import { type LogEntry, labelsKey } from '../model/index.ts';
import { Writer } from './writer.ts';

/** Encodes entries as a Loki push request in protobuf, grouped by stream; compress it with `snappyCompress`. */
export function encodeLokiPush(entries: readonly LogEntry[]): Uint8Array {
  const streams = new Map<string, LogEntry[]>();
  for (const entry of entries) {
    const key = labelsKey(entry.stream);
    const found = streams.get(key);
    if (found) found.push(entry);
    else streams.set(key, [entry]);
  }
  const writer = new Writer(4096);
  // message PushRequest { repeated StreamAdapter streams = 1; }
  for (const group of streams.values()) {
    const stream = writer.begin(1);
    writer.string(1, lokiLabels(group[0]));
    for (const entry of group) writeEntry(writer, entry);
    writer.end(stream);
  }
  return writer.finish();
}

function lokiLabels({ stream }: LogEntry): string {
  const pairs = Array.from({ length: stream.length / 2 }, (_, i) => {
    const value = JSON.stringify(stream[2 * i + 1]);
    return `${stream[2 * i]}=${value}`;
  });
  return `{${pairs.join(', ')}}`;
}

// message EntryAdapter {
//   google.protobuf.Timestamp timestamp = 1;
//   string line = 2;
//   repeated LabelPairAdapter structuredMetadata = 3;
// }
function writeEntry(writer: Writer, { timestampNs, line, metadata }: LogEntry): void {
  const entry = writer.begin(2);
  const time = writer.begin(1);
  writer.int64(1, timestampNs / 1_000_000_000n);
  writer.int64(2, timestampNs % 1_000_000_000n);
  writer.end(time);
  writer.string(2, line);
  for (let i = 0; i < metadata.length; i += 2) {
    const pair = writer.begin(3);
    writer.string(1, metadata[i]);
    writer.string(2, metadata[i + 1]);
    writer.end(pair);
  }
  writer.end(entry);
}
