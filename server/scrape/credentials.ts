import type { SecureVersion } from 'node:tls';
import type { HttpConfig, TlsConfig } from './config-parts.ts';
import { WatchedFile } from './watched-file.ts';

/** What a TLS connection needs, with the content of its files; equal keys mean equal options. */
export interface TlsOptions {
  readonly key: string;
  readonly options: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly servername?: string;
    readonly rejectUnauthorized: boolean;
    readonly minVersion?: SecureVersion;
    readonly maxVersion?: SecureVersion;
  };
}

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

/** Reads what a job proves itself with, from the configuration and from files that may change. */
export class Credentials {
  readonly #config: HttpConfig;
  readonly #directory: string;
  readonly #files = new Map<string, WatchedFile>();

  constructor(config: HttpConfig, directory: string) {
    this.#config = config;
    this.#directory = directory;
  }

  /** The headers of authentication and those of `http_headers`. @throws The file system's error. */
  async headers(): Promise<Record<string, string | string[]>> {
    const headers: Record<string, string | string[]> = {};
    for (const [name, { values, secrets, files }] of Object.entries(this.#config.http_headers)) {
      const read = await Promise.all(files.map((file) => this.#read(file)));
      headers[name.toLowerCase()] = [...values, ...secrets, ...read];
    }
    const authorization = await this.#authorization();
    if (authorization !== undefined) headers.authorization = authorization;
    return headers;
  }

  /** @throws The file system's error. */
  async tls(): Promise<TlsOptions> {
    const { tls_config: tls } = this.#config;
    const [ca, cert, key] = await Promise.all([
      this.#either(tls.ca, tls.ca_file),
      this.#either(tls.cert, tls.cert_file),
      this.#either(tls.key, tls.key_file),
    ]);
    return {
      key: [ca, cert, key].join('\u0000'),
      options: {
        ca,
        cert,
        key,
        servername: tls.server_name,
        rejectUnauthorized: !tls.insecure_skip_verify,
        minVersion: versionOf(tls.min_version),
        maxVersion: versionOf(tls.max_version),
      },
    };
  }

  async #authorization(): Promise<string | undefined> {
    const { basic_auth: basic, authorization, bearer_token: token, bearer_token_file: tokenFile } = this.#config;
    if (basic) {
      const user = basic.username_file === undefined ? basic.username : await this.#read(basic.username_file);
      const password = (await this.#either(basic.password, basic.password_file)) ?? '';
      return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
    }
    if (authorization) {
      const secret = (await this.#either(authorization.credentials, authorization.credentials_file)) ?? '';
      return `${authorization.type} ${secret}`;
    }
    const secret = await this.#either(token, tokenFile);
    return secret === undefined ? undefined : `Bearer ${secret}`;
  }

  async #either(value: string | undefined, file: string | undefined): Promise<string | undefined> {
    return value ?? (file === undefined ? undefined : await this.#read(file));
  }

  async #read(file: string): Promise<string> {
    let watched = this.#files.get(file);
    if (watched === undefined) {
      watched = new WatchedFile(this.#directory, file);
      this.#files.set(file, watched);
    }
    return (await watched.read()).trim();
  }
}

function versionOf(version: TlsConfig['min_version']): SecureVersion | undefined {
  return version === undefined ? undefined : VERSIONS[version];
}
