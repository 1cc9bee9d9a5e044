import { BarographError } from '../model/index.ts';

/** What a decoder says when the bytes aren't what the protocol promises: code `malformed`, status 400. */
export function malformed(where: string, got: string, accepted: string, fix?: string): BarographError {
  return new BarographError({ code: 'malformed', status: 400, where, got, accepted, fix });
}

/** What a decoder says when a request is larger than it may be: code `too_large`, status 413. */
export function tooLarge(where: string, got: string, accepted: string, fix: string): BarographError {
  return new BarographError({ code: 'too_large', status: 413, where, got, accepted, fix });
}
