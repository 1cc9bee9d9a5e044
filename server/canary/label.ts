/**
 * Deployment, environment and service of everything that the probe sends. Its values are 0 and its rows are deleted after
 * the search, so nobody's totals change.
 */
export const CANARY_NAME = 'barograph-canary';
