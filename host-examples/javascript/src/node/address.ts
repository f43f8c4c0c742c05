// Addresses: what messages name of them, and where they lead.
import { Failure } from '../errors.js';
import { quoted } from './bytes.js';

/** An address as messages name it: without a query, as storage services sign them, and without a user. */
export function shown(address: string): string {
  return (address.split(/[?#]/)[0] as string).replace(/\/\/[^/@\s]*@/g, '//');
}

/** Words of a library, with the queries and users of all addresses left out. */
export function withoutAddresses(words: string): string {
  return words.replace(/[?#][^\s'"<>)]*/g, '').replace(/\/\/[^/@\s]*@/g, '//');
}

/** Where a `location` header of an answer from `base` leads; never from HTTPS to HTTP. */
export function follow(base: string, location: string): string {
  let url: URL | undefined;
  try {
    url = new URL(location, base);
  } catch {
    // No address.
  }
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && base.startsWith('http:'))) return url.href;
  const why = url?.protocol === 'http:' ? 'it would not be encrypted any more' : 'neither http nor https';
  throw new Failure('other', `${shown(base)} leads to ${quoted(shown(location))}: ${why}`);
}
