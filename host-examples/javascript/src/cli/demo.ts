// `demo`: three decisions on sample data: a hit, a hit out of an image that was
// built elsewhere, and a miss with its reasons.
import { createHash } from 'node:crypto';
import type { Engine } from '../engine.js';
import { Memory } from '../store.js';
import { escape } from '../text.js';

const MAKE = '{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make"]}';
const CHANGED = '{"Env":["PATH=/bin","MODE=safe"],"Cmd":["/bin/sh","-c","make"]}';
const TEST = '{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make test"]}';

/** The text to be shown. */
export function demo(engine: Engine): string {
  const scenes = [
    { title: 'a step that was built here before', config: MAKE },
    { title: 'a step of an image that was built elsewhere', config: TEST, trust: 'app:1' },
    { title: 'a step whose environment changed, and why it has to run', config: CHANGED },
  ];
  return scenes.flatMap((scene, index) => [`${index + 1}. ${scene.title}`, ...told(engine, scene), '']).join('\n').trimEnd();
}

function told(engine: Engine, { config, trust }: { config: string; trust?: string }): string[] {
  const { images, base } = sample();
  const session = engine.docker({ images }, { cacheFrom: trust ? [{ reference: trust, trusted: true }] : [] });
  const step = { parent: base, config, platform: { os: 'linux', architecture: 'amd64' } };
  const answer = session.lookup(step);
  const lines = [`  config  ${escape(config)}`, `  ${answer.outcome}  ${escape(answer.image?.slice(7, 19) ?? '')}`];
  if (answer.outcome !== 'miss') return lines;
  const { nearest } = session.explain(step);
  if (nearest) lines.push(`  nearest ${escape(nearest.subject.slice(7, 19))}: ${escape(nearest.code)}`);
  for (const { path, have, want } of nearest?.differences ?? []) {
    lines.push(escape(`    ${path}  have ${JSON.stringify(have ?? null)}  want ${JSON.stringify(want ?? null)}`));
  }
  session.close();
  return lines;
}

/** A base that was pulled, a step built on it here, and an application built on it elsewhere. */
function sample(): { images: Memory; base: string } {
  const images = new Memory((text) => `sha256:${createHash('sha256').update(text).digest('hex')}`);
  const layer = (digit: string) => `sha256:${digit.repeat(64)}`;
  const image = (commands: string[], layers: string[], more: object = {}) =>
    JSON.stringify({
      architecture: 'amd64',
      ...more,
      created: `2026-01-0${commands.length}T00:00:00Z`,
      history: commands.map((created_by, index) => ({ created: `2026-01-0${index + 1}T00:00:00Z`, created_by })),
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers },
    });
  const base = images.add(image(['ADD rootfs.tar /'], [layer('1')]), { built: 'elsewhere', name: 'base:1' });
  const app = ['ADD rootfs.tar /', '/bin/sh -c make test', '/bin/sh -c make install'];
  images.add(image(app, [layer('1'), layer('2'), layer('3')]), { built: 'elsewhere', name: 'app:1' });
  const built = image(['ADD rootfs.tar /', '/bin/sh -c make'], [layer('1'), layer('4')], { container_config: JSON.parse(MAKE) as object });
  images.add(built, { parent: base, built: 'built-here' });
  return { images, base };
}
