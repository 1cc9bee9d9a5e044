import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, ROOT_CONTEXT } from '@opentelemetry/api';

/**
 * Keeps OpenTelemetry's context across awaits, timers and callbacks by Node's own means, for programs that have no
 * context manager yet.
 */
export class AsyncContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<Args extends unknown[], Code extends (...args: Args) => ReturnType<Code>>(
    context: Context,
    code: Code,
    thisArg?: ThisParameterType<Code>,
    ...args: Args
  ): ReturnType<Code> {
    const call = thisArg === undefined ? code : code.bind(thisArg);
    return this.#storage.run(context, call as (...args: Args) => ReturnType<Code>, ...args);
  }

  bind<Target>(context: Context, target: Target): Target {
    if (typeof target !== 'function') return target;
    const storage = this.#storage;
    const code = target as unknown as (...args: unknown[]) => unknown;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return storage.run(context, () => code.apply(this, args));
    };
    Object.defineProperty(bound, 'length', { value: code.length, configurable: true });
    return bound as unknown as Target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
