import type { Labels, MetricType } from '../model/index.ts';
import { parseTextLabels } from './exposition-labels.ts';
import { METADATA_TYPES } from './remote-write.ts';
import { grow, WriteRequestBatch } from './remote-write-batch.ts';
import { parseSeriesLabels } from './series-labels.ts';

/**
 * What the ranges of a batch's labels hold: `fields` as remote write sends labels (protobuf scrapes), or `text`, the
 * bytes of an exposition's line up to the value, such as `up{job="a"}`.
 */
export type LabelKeyKind = 'fields' | 'text';

/**
 * One decoded scrape as columns. Every series has one sample or one native histogram; a series that an exposition lists
 * twice (with different timestamps) is there twice. Target labels aren't among the labels, so a key is one target's own.
 */
export class ScrapeBatch extends WriteRequestBatch {
  keyKind: LabelKeyKind = 'text';
  /** Index into the metric types of each series' family, see `typeOf`. */
  seriesType = new Uint8Array(this.labelStart.length);
  /** 1 where the exposition itself gave the time of a series' sample: such series get no staleness markers. */
  seriesHasTime = new Uint8Array(this.labelStart.length);

  /** The type of a series' family; `unknown` where nothing was said. */
  typeOf(series: number): MetricType {
    return METADATA_TYPES[this.seriesType[series]];
  }

  /**
   * The labels of a series, with its name. `le` and `quantile` are written as OpenMetrics writes them, so that they are
   * the same in every format.
   * @throws BarographError `bad_labels` (400): a name that is empty or there twice, no metric name.
   */
  seriesLabels(series: number): Labels {
    const bytes = this.labelBytes(series);
    return this.keyKind === 'fields' ? parseSeriesLabels(bytes) : parseTextLabels(bytes, this.typeOf(series));
  }

  override growSeries(): void {
    super.growSeries();
    this.seriesType = grow(this.seriesType, new Uint8Array(this.labelStart.length));
    this.seriesHasTime = grow(this.seriesHasTime, new Uint8Array(this.labelStart.length));
  }
}
