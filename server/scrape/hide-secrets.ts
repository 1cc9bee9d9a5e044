import { type Labels, labelsToRecord } from '../model/index.ts';

const SECRET_NAME = /token|secret|passw|api_?key|auth|credential|signature/i;
const SECRET_PARAM = /^__param_.*(?:token|secret|passw|api_?key|auth|credential|signature)/i;
/** Keys of the configuration whose values are secrets, whatever they look like. */
const SECRET_KEYS = new Set(['password', 'credentials', 'bearer_token', 'secrets', 'key']);
const HIDDEN = '<secret>';

/** A target's labels as a record for users to see: the values of parameters that are named like secrets are hidden. */
export function shownLabels(labels: Labels): Record<string, string> {
  const record = labelsToRecord(labels);
  for (const name of Object.keys(record)) {
    if (SECRET_PARAM.test(name)) record[name] = HIDDEN;
    // The address that HTTP discovery asked may have a password in it, or a token in its query.
    else if (name === '__meta_url') record[name] = hideSecrets(record[name]);
  }
  return record;
}

const PASSWORD = /^([a-z]+:\/\/[^:@/?#]*):[^@/?#]*@/i;
const PARAMETER = /([?&])([^=&#]+)=([^&#]*)/g;

/**
 * A URL for users to see: without a user's password, and with the values of parameters that are named like secrets
 * hidden. The rest stays as it was written, a default port included.
 */
export function hideSecrets(url: string): string {
  return url
    .replace(PASSWORD, '$1:xxxxx@')
    .replace(PARAMETER, (all, before, name) => (SECRET_NAME.test(name) ? `${before}${name}=${HIDDEN}` : all));
}

/** A copy of the scraping configuration as it was written, with `<secret>` in the place of secrets. */
export function hideConfigSecrets(written: unknown, key = '', parent = ''): unknown {
  if (written === undefined || written === null) return written;
  if (SECRET_KEYS.has(key) || SECRET_PARAM.test(key) || (parent === 'params' && SECRET_NAME.test(key))) return HIDDEN;
  if (Array.isArray(written)) return written.map((value) => hideConfigSecrets(value, '', key));
  if (typeof written === 'object') {
    return Object.fromEntries(
      Object.entries(written).map(([name, value]) => [name, hideConfigSecrets(value, name, key)]),
    );
  }
  return key === 'url' && typeof written === 'string' ? hideSecrets(written) : written;
}
