// Builds out of files: a host opens what they are kept in, asks the component
// which parts belong to a build, and hands those in.
import { Layout, openFile, utf8 } from './envelope.js';
import { Failure } from './errors.js';
import type { Builds, Closing, Given, Instance } from './instance.js';

/** Manifests that lead to each other. */
const MOST_MANIFESTS = 1_000;

type Build = Closing<Builds.Build>;

/**
 * Opens a file as somebody has it: a `.dockerbuild` file, a layout of an image
 * with provenance, provenance itself, a `--metadata-file`, a log of
 * `--progress=rawjson`. The builds that are in it, the newest first.
 *
 * Builds are compared with each other only in one instance. Throws a
 * `LayerwiseError`, or a `Failure` for a file that is none of these.
 */
export async function openBuilds(instance: Instance, file: Uint8Array<ArrayBuffer>, options: Given<Builds.ReadOptions> = {}): Promise<Build[]> {
  const opened = await openFile(file);
  const documents = opened instanceof Layout ? await documentsOf(instance, opened, options) : [[textual(opened)]];
  return readBuilds(instance, documents, options);
}

/** The builds of these documents, the newest first. */
export function readBuilds(instance: Instance, documents: readonly Builds.Document[][], options: Given<Builds.ReadOptions> = {}): Build[] {
  const builds = documents.map((one) => instance.builds.read(one, options));
  const created = new Map(builds.map((build) => [build, build.describe().created ?? 0n]));
  return builds.sort((a, b) => Number((created.get(b) ?? 0n) - (created.get(a) ?? 0n)));
}

/** The documents of each build that a layout leads to. */
export async function documentsOf(instance: Instance, layout: Layout, { limits = [] }: Given<Builds.ReadOptions> = {}): Promise<Builds.Document[][]> {
  const builds: Builds.Document[][] = [];
  const rest: { build?: number; document: Builds.Document }[] = [{ document: textual(layout.index) }];
  for (let seen = 0; rest.length > 0; seen++) {
    if (seen > MOST_MANIFESTS) throw new Failure('too-large', `the file has more than ${MOST_MANIFESTS} manifests`);
    const manifest = rest.pop() as (typeof rest)[number];
    for (const { role, descriptor, build: place } of instance.builds.parts(manifest.document, limits)) {
      // Only the first index tells builds apart.
      const build = manifest.build ?? place;
      const bytes = await layout.blob(descriptor);
      const document = role === 'log' ? ({ form: 'log', content: base64(bytes) } as const) : textual(utf8(bytes, descriptor.digest));
      if (role === 'manifest') rest.push({ build, document });
      else (builds[build] ??= []).push(document);
    }
  }
  return builds.filter(() => true);
}

function textual(content: string): Builds.Document {
  return { form: 'text', content };
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
