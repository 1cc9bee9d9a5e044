import { type Labels, type LogEntry, labelsFromRecord, msToNs } from '../model/index.ts';
import type { EngineLine } from './engine-log.ts';

const LEVELS = { info: 'info', warning: 'warn', error: 'error', critical: 'critical' } as const;

/**
 * Turns lines of engines, kernels and other processes into entries as an agent on the node would push them: few stream
 * labels, the pod and the level as structured metadata.
 */
export class EngineStreams {
  #entries: LogEntry[] = [];
  readonly #streams = new Map<string, Labels>();
  readonly #metadata = new Map<string, Labels>();

  add(line: EngineLine): void {
    const owner = line.replica?.name ?? line.node.name;
    this.#entries.push({
      stream: this.#streamOf(line, owner),
      timestampNs: msToNs(line.timeMs),
      line: line.text,
      metadata: this.#metadataOf(line, owner),
    });
  }

  get pending(): number {
    return this.#entries.length;
  }

  /** The entries since the last call, in the order in which they were written. */
  take(): LogEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }

  #streamOf(line: EngineLine, owner: string): Labels {
    const version = line.replica?.model.version ?? '';
    const key = `${line.source} ${owner} ${version}`;
    let stream = this.#streams.get(key);
    if (!stream) {
      // What a node's agent knows of everything that is written there.
      const labels: Record<string, string> = {
        service_name: line.source,
        region: line.node.region,
        gpu_type: line.node.gpus[0].type.name,
      };
      if (line.source === 'kernel') labels.job = 'dmesg';
      else Object.assign(labels, { namespace: 'inference', container: line.source });
      if (line.replica) {
        labels.deployment = line.replica.deployment.name;
        labels.model_version = version;
      }
      stream = labelsFromRecord(labels);
      this.#streams.set(key, stream);
    }
    return stream;
  }

  #metadataOf(line: EngineLine, owner: string): Labels {
    const key = `${line.source} ${owner} ${line.severity}`;
    let metadata = this.#metadata.get(key);
    if (!metadata) {
      metadata = labelsFromRecord({
        node: line.node.name,
        pod: line.replica?.name ?? '',
        level: LEVELS[line.severity],
      });
      this.#metadata.set(key, metadata);
    }
    return metadata;
  }
}
