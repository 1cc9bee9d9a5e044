/** The program's version, as in `server/package.json`. */
export const VERSION = '0.1.0';
