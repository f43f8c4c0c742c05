// What a program in TypeScript sees of the installed package; `check` compiles it.
import { Engine, Failure, type ImageStore, LimitExceeded } from 'layerwise';
import { Wasi } from 'layerwise/node';

declare const images: ImageStore;
const engine = await Engine.load({ memory: 1 << 26 });
using session = engine.docker({ images }, { cacheFrom: [{ reference: 'a', trusted: true }], policy: { dryRun: true }, limits: [{ name: 'depth', value: 3 }] });
const answer = session.lookup({ config: '{}', platform: { os: 'linux' } });
export const outcome: 'hit-local' | 'hit-source' | 'hit-restored' | 'restore-failed' | 'miss' = answer.outcome;
export const image: string | undefined = answer.image;
// @ts-expect-error there is no such member
session.lookup({ confg: '{}' });
// @ts-expect-error there is no such reading
engine.docker({}, { semantics: { reading: 'wild' } });
// @ts-expect-error a store answers at once
export const store: Partial<ImageStore> = { children: async () => [] };
const cache = engine.instance().buildkit.read({ tag: 'config', val: { text: '{}', descriptors: '[]' } }, {});
export const codes: string[] = cache.compare(cache).findings.map(({ code }) => code);
export const failure = new Failure('full', 'no room');
export const limit = (error: unknown) => (error instanceof LimitExceeded ? error.value : 0n);
export const inside = await Engine.load({ wasi: new Wasi({ store: 'oci:images', directories: { '.': '/srv' }, network: true }) });
// @ts-expect-error there is no such member
new Wasi({ stores: 'oci:images' });
