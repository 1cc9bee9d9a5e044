import { z } from 'zod';

/** The canary's part of the configuration. */
export const canarySchema = z.strictObject({
  /** Whether it runs by itself; on request it runs all the same. */
  enabled: z.boolean().default(true),
  /** Hours from one run to the next. */
  interval_hours: z.number().min(0.1).max(8760).default(24),
  /** Seconds from the start of the program to the first run, where none was due before. */
  first_after_seconds: z.int().min(0).max(86_400).default(120),
});

export type CanaryConfig = z.infer<typeof canarySchema>;
