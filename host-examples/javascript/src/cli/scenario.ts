import type { Engine } from '../engine.js';
export async function scenario(_e: Engine, _f: readonly string[], _c: boolean): Promise<number> { return 3; }
