import { BarographError } from '../model/index.ts';
import { parseMediaType } from './media-type.ts';
import type { WriteVersion } from './remote-write-samples.ts';

/**
 * Which message a remote write request holds, by its `Content-Type`: 1 (`prometheus.WriteRequest`, also where nothing is
 * said, as old senders do) or 2 (`io.prometheus.write.v2.Request`). Source: Prometheus remote write 2.0, "Protocol".
 * @throws BarographError `unsupported_media_type` (415).
 */
export function writeVersionOf(contentType: string | undefined): WriteVersion {
  if (contentType === undefined || contentType === '') return 1;
  const media = parseMediaType(contentType);
  if (media?.type === 'application/x-protobuf') {
    const message = media.parameters.get('proto');
    if (message === undefined || message === 'prometheus.WriteRequest') return 1;
    if (message === 'io.prometheus.write.v2.Request') return 2;
  }
  throw new BarographError({
    code: 'unsupported_media_type',
    status: 415,
    where: 'Content-Type',
    got: JSON.stringify(contentType.slice(0, 100)),
    accepted: 'application/x-protobuf, with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request',
  });
}
