// Prometheus's text formats, read and written: the one place where the exporters know how a line looks.
// In: texts of engines and exporters, families to write. Out: samples, text and OpenMetrics.
// Never: quotes a line in an error, or reads more lines, labels or bytes than its bounds say.
export { badLine, boundOf, MAX_LINE_BYTES, readSeriesName, type SeriesName } from './line.ts';
export { type LineTaker, MAX_LINES, SeriesMemory } from './memory.ts';
export { readSamples, type TextSample, type TextSamples } from './read.ts';
export {
  CONTENT_TYPES,
  chooseFormat,
  type ExpositionFormat,
  type Family,
  familyHead,
  formatFamilies,
  formatNumber,
  formatValue,
  type Label,
  type Sample,
  seriesText,
} from './write.ts';
