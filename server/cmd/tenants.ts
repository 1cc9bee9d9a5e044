import fs from 'node:fs';
import path from 'node:path';
import { createSharedServer, type TenantDirectory, tenantName } from '../api/index.ts';
import { BarographError } from '../model/index.ts';
import type { OwnFamily, OwnPoint } from '../telemetry/index.ts';
import type { ReadPolicy } from './policy-source.ts';
import { type House, openTenant, type Tenant, UI_FOLDER } from './tenant.ts';
import { VERSION } from './version.ts';

/** The folder of the data directory that holds a folder for each tenant. */
const FOLDER = 'tenants';
/** The tenant that has what was written before there were tenants: its data lies in the data directory itself. */
const DEFAULT_TENANT = 'anonymous';

/** The tenants of a process: those that have data are there from the start, others begin when they first write. */
export class Tenants implements TenantDirectory {
  readonly shared: TenantDirectory['shared'];
  private readonly house: House;
  private readonly readPolicy: () => ReadPolicy;
  private readonly open = new Map<string, Promise<Tenant>>();
  /** Those that are open, for who can't wait. */
  private readonly opened = new Map<string, Tenant>();
  private isStarted = false;

  /** Opens the tenants that have data. */
  static async open(house: House, readPolicy: () => ReadPolicy): Promise<Tenants> {
    const tenants = new Tenants(house, readPolicy);
    // One after the other: each makes threads of its own at its start.
    for (const name of tenants.stored()) await tenants.add(name);
    await tenants.shared.ready();
    return tenants;
  }

  private constructor(house: House, readPolicy: () => ReadPolicy) {
    this.house = house;
    this.readPolicy = readPolicy;
    const { token, max_body_bytes: maxBodyBytes } = house.config.server;
    this.shared = createSharedServer({
      version: VERSION,
      metrics: { collect: () => this.collect() },
      uiFolder: UI_FOLDER,
      tenants: () => this.names,
      token,
      maxBodyBytes,
      bodies: house.bodies,
    });
  }

  get names(): readonly string[] {
    return [...this.opened.keys()].sort();
  }

  async find(name: string, creates: boolean): Promise<Tenant> {
    const { allowed, max } = this.house.config.tenants;
    if (allowed.length > 0 && !allowed.includes(name)) {
      throw unknown(name, 'a tenant of tenants.allowed', 'add it to tenants.allowed, or correct the header');
    }
    const known = this.open.get(name);
    if (known) return known;
    if (!creates) {
      throw unknown(
        name,
        this.names.join(', ') || 'none yet',
        'correct the header; a tenant begins when it first writes',
      );
    }
    if (this.open.size >= max) {
      throw new BarographError({
        code: 'too_many_tenants',
        status: 429,
        where: 'X-Scope-OrgID',
        got: `a new tenant beside ${this.open.size}`,
        accepted: `at most ${max}`,
        fix: 'raise tenants.max: each tenant costs the memory of a store and its query threads',
      });
    }
    return this.add(name);
  }

  /** Begins what goes on by itself in every tenant, those to come included. */
  async start(): Promise<void> {
    this.isStarted = true;
    for (const tenant of this.opened.values()) await tenant.start();
  }

  async close(): Promise<void> {
    await this.shared.close();
    for (const tenant of await Promise.all(this.open.values())) await tenant.close();
  }

  /** How many series all tenants have. */
  get seriesCount(): number {
    let count = 0;
    for (const { store } of this.opened.values()) count += store.series.size;
    return count;
  }

  private add(name: string): Promise<Tenant> {
    const opening = this.openOne(name);
    this.open.set(name, opening);
    // One that can't be opened may be tried again.
    opening.catch(() => this.open.delete(name));
    return opening;
  }

  private async openOne(name: string): Promise<Tenant> {
    const { config, log } = this.house;
    const retention = config.tenants.overrides[name]?.retention ?? config.retention;
    const tenant = await openTenant(this.house, {
      name,
      directory: this.folderOf(name),
      retention,
      scrapes: name === config.tenants.scrape,
      policy: this.readPolicy(),
      readPolicy: this.readPolicy,
    });
    await Promise.all([tenant.http.ready(), tenant.otlpHttp.ready()]);
    this.opened.set(name, tenant);
    log.info({ tenant: name, series: tenant.store.series.size }, 'tenant opened');
    if (this.isStarted) await tenant.start();
    return tenant;
  }

  private folderOf(name: string): string {
    const { data } = this.house.config;
    return name === DEFAULT_TENANT && this.hasOlderData() ? data : path.join(data, FOLDER, name);
  }

  private hasOlderData(): boolean {
    return fs.existsSync(path.join(this.house.config.data, 'hot.duckdb'));
  }

  /** Names of the tenants that have data, and of the one that targets are scraped into. */
  private stored(): string[] {
    const { data, tenants } = this.house.config;
    const names = new Set([tenantName(tenants.scrape)]);
    if (this.hasOlderData()) names.add(DEFAULT_TENANT);
    const folder = path.join(data, FOLDER);
    if (fs.existsSync(folder)) for (const name of fs.readdirSync(folder)) names.add(name);
    return [...names].sort();
  }

  /** The own metrics of all tenants, told apart by a label. */
  private *collect(): Iterable<OwnFamily> {
    const families = new Map<string, OwnFamily & { points: OwnPoint[] }>();
    for (const [tenant, { registry }] of this.opened) {
      for (const family of registry.collect()) {
        const known = families.get(family.name) ?? { ...family, points: [] };
        families.set(family.name, known);
        for (const { labels, value } of family.points) known.points.push({ labels: { ...labels, tenant }, value });
      }
    }
    yield* families.values();
  }
}

function unknown(name: string, accepted: string, fix: string): BarographError {
  return new BarographError({ code: 'unknown_tenant', status: 404, where: 'X-Scope-OrgID', got: name, accepted, fix });
}
