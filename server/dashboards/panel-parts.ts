import type { AllowedLabel } from './outcomes.ts';
import type { PanelLink } from './panel.ts';

/** Labels of the contract's own metrics. */
export const AI_LABELS: readonly AllowedLabel[] = [
  'model_version',
  'deployment',
  'customer_tier',
  'gpu_type',
  'region',
];

/**
 * Labels of GPU metrics. A GPU knows its type and its place; which model it serves is known through the pod of its engine
 * (`$serving`), and DCGM's `deployment` is the exporter's own.
 */
export const GPU_LABELS: readonly AllowedLabel[] = ['gpu_type', 'region'];

/** Labels of metrics of a machine: of its GPUs and what they serve it knows nothing. */
export const NODE_LABELS: readonly AllowedLabel[] = ['region'];

/** Labels of an engine's own metrics: it serves whoever comes. */
export const ENGINE_LABELS: readonly AllowedLabel[] = ['model_version', 'deployment', 'gpu_type', 'region'];

/** What an engine or the driver wrote: everything that isn't a structured event. */
export const ENGINE_LINES: PanelLink = {
  title: 'Engine lines',
  kind: 'logs',
  expr: '{service_name=~".+",$filters} !~ "^[{]"',
};
