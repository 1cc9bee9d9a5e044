import { Exposition } from './exposition.ts';
import type { Fleet, Replica } from './fleet.ts';
import { exposeDcgm, exposeNode } from './node-exposition.ts';
import type { ScrapeBatch } from './scrape-batch.ts';
import { engineTargetLabels, exposeVllm } from './vllm-exposition.ts';

/** A target and whether it answers. */
interface Target {
  readonly up: Exposition;
  /** Absent while it doesn't answer. */
  exposition: Exposition | undefined;
  /** Sees whether the target is another one than at the last scrape; replaces `exposition` then. */
  refresh(): void;
}

/**
 * A Prometheus server that scrapes the fleet: engines, dcgm-exporters, node_exporters. Targets are dealt out to lanes,
 * so that requests of different lanes may be under way together without ever reordering a series.
 */
export class Scraper {
  readonly #lanes: Target[][];

  constructor(fleet: Fleet, laneCount: number) {
    const targets = [
      ...fleet.replicas.map(engineTarget),
      ...fleet.nodes.map((node) =>
        fixedTarget(exposeDcgm(node), { job: 'dcgm-exporter', instance: `${node.name}:9400` }),
      ),
      ...fleet.nodes.map((node) => fixedTarget(exposeNode(node), { job: 'node', instance: `${node.name}:9100` })),
    ];
    this.#lanes = Array.from({ length: laneCount }, (_, lane) => targets.filter((__, i) => i % laneCount === lane));
  }

  /** Scrapes every target of a lane. */
  scrape(lane: number, batch: ScrapeBatch, timestampMs: number): void {
    for (const target of this.#lanes[lane]) {
      const before = target.exposition;
      target.refresh();
      if (before && before !== target.exposition) batch.end(before, timestampMs);
      batch.add(target.up, timestampMs);
      if (target.exposition) batch.add(target.exposition, timestampMs);
    }
  }
}

function fixedTarget(exposition: Exposition, labels: Record<string, string>): Target {
  return { up: exposeUp(labels, () => 1), exposition, refresh: () => {} };
}

/** An engine serves its metrics while it serves requests; under a new model's name they are other series. */
function engineTarget(replica: Replica): Target {
  let version = replica.model.version;
  const answers = (): boolean => replica.state === 'serving' || replica.state === 'draining';
  const target: Target = {
    up: exposeUp(engineTargetLabels(replica), () => (answers() ? 1 : 0)),
    exposition: answers() ? exposeVllm(replica) : undefined,
    refresh() {
      if (!answers()) {
        target.exposition = undefined;
      } else if (target.exposition === undefined || version !== replica.model.version) {
        version = replica.model.version;
        target.exposition = exposeVllm(replica);
      }
    },
  };
  return target;
}

function exposeUp(labels: Record<string, string>, read: () => number): Exposition {
  const out = new Exposition(labels);
  out.gauge('up', 'Whether the last scrape of the target succeeded.', read);
  return out;
}
