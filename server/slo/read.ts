import { badSlo, readDocuments, type SloDocument } from './documents.ts';
import { judgeObjective } from './judge.ts';
import type { Objective } from './objective.ts';
import { OBJECTIVES_VERSION, readObjectives } from './objective-file.ts';
import { readOpenSlo } from './openslo.ts';
import { readPyrra } from './pyrra.ts';
import { type ReadObjectives, readSloth } from './sloth.ts';

/** What an objective takes where its file says nothing; for formats that have no place for it. */
export interface Fallbacks {
  readonly owner?: string;
  readonly runbookUrl?: string;
  readonly impact?: string;
}

/**
 * Reads objectives: Barograph's own file, a Sloth specification, Pyrra objectives or OpenSLO documents, told apart by
 * what they say of themselves; documents of several formats can stand in one file.
 * @param file Named in errors and warnings.
 * @throws BarographError `bad_slo`, `slo_page_incomplete`, `slo_informational_page` with file, line and key.
 */
export function readSloFile(text: string, file: string, fallbacks: Fallbacks = {}): ReadObjectives {
  const documents = readDocuments(text, file);
  const openSlo = documents.filter((document) => keyOf(document, 'apiVersion') === 'openslo/v1');
  const found: ReadObjectives[] = [readOpenSlo(openSlo)];
  for (const document of documents) if (!openSlo.includes(document)) found.push(readDocument(document));
  const objectives = found
    .flatMap((one) => one.objectives)
    .map((objective) => ({
      ...objective,
      owner: objective.owner ?? fallbacks.owner,
      runbookUrl: objective.runbookUrl ?? fallbacks.runbookUrl,
      impact: objective.impact ?? fallbacks.impact,
    }));
  refuseTwice(objectives);
  const judged = objectives.flatMap(judgeObjective);
  return { objectives, warnings: [...found.flatMap((one) => one.warnings), ...judged] };
}

function keyOf(document: SloDocument, key: string): unknown {
  return (document.value as Record<string, unknown> | null)?.[key];
}

function readDocument(document: SloDocument): ReadObjectives {
  const says = keyOf(document, 'version') ?? keyOf(document, 'apiVersion');
  if (says === OBJECTIVES_VERSION) return { objectives: readObjectives(document), warnings: [] };
  if (says === 'prometheus/v1') return readSloth(document);
  if (says === 'pyrra.dev/v1alpha1') return readPyrra(document);
  throw badSlo(
    `${document.file}:${document.lineOf(['version'])} › version`,
    typeof says === 'string' ? JSON.stringify(says.slice(0, 40)) : 'nothing',
    `${OBJECTIVES_VERSION}, prometheus/v1 (Sloth), pyrra.dev/v1alpha1 or openslo/v1`,
    `begin the file with version: ${OBJECTIVES_VERSION}`,
  );
}

/** Two of one name would write one record, and each would read the sum of both. */
function refuseTwice(objectives: readonly Objective[]): void {
  const seen = new Map<string, Objective>();
  for (const objective of objectives) {
    const { service, name, place } = objective;
    const key = JSON.stringify([service, name]);
    const first = seen.get(key);
    if (first) {
      throw badSlo(
        `${place.file}:${place.line}`,
        `the objective ${name} of ${service} a second time (first at line ${first.place.line})`,
        'one of a name in a service',
        'give it another name',
      );
    }
    seen.set(key, objective);
  }
}
