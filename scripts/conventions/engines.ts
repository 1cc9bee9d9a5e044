import type { Conventions } from './schema.ts';

type Engines = Conventions['engines']['engines'];

/**
 * Fills in what engines take over from others (`like`): metrics, labels and ignored names with the beginning of the names
 * replaced, before their own. An engine that isn't there is left for the checks to name.
 */
export function expandEngines(engines: Engines): Engines {
  return Object.fromEntries(
    Object.entries(engines).map(([name, engine]) => {
      const original = engine.like && engines[engine.like.engine];
      if (!engine.like || !original) return [name, engine];
      const { prefix, becomes } = engine.like;
      const rename = (source: string) => (source.startsWith(prefix) ? becomes + source.slice(prefix.length) : source);
      const renameAny = (source: string | undefined) => (source === undefined ? undefined : rename(source));
      const metrics = original.metrics.map((metric) => ({
        ...metric,
        source: rename(metric.source),
        was: metric.was.map(rename),
        unless: renameAny(metric.unless),
        ratio_of: renameAny(metric.ratio_of),
      }));
      const ignored = original.ignored.map(({ source, why }) => ({ source: rename(source), why }));
      return [
        name,
        {
          ...engine,
          labels: { ...original.labels, ...engine.labels },
          metrics: [...metrics, ...engine.metrics],
          ignored: [...ignored, ...engine.ignored],
        },
      ];
    }),
  );
}
