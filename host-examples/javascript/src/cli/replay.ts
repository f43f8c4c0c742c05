// `conformance` and `replay`: transcripts played again.
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Engine } from '../engine.js';
import { compare, transcriptOf } from '../transcript.js';
import { escape } from '../text.js';

/** Plays the transcripts of vector files, or transcripts themselves. */
export async function conformance(engine: Engine, files: readonly string[]): Promise<number> {
  return replay(engine, files.map(transcriptFile));
}

/** Prints what differs, then how many passed and failed. */
export async function replay(engine: Engine, files: readonly string[]): Promise<number> {
  let [passed, failed] = [0, 0];
  for (const file of files) {
    for (const { mismatch } of compare(engine, transcriptOf(read(file)))) {
      if (!mismatch) passed++;
      else {
        failed++;
        const place = files.length > 1 ? `${file}: ` : '';
        console.log(escape(`${place}${mismatch.name}: expected ${mismatch.expected}, got ${mismatch.actual}`));
      }
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

/** A vector file's transcript has its name, in the folder `calls` beside `vectors`. */
function transcriptFile(file: string): string {
  const folder = dirname(file);
  return basename(folder) === 'vectors' ? join(dirname(folder), 'calls', basename(file)) : file;
}

/** The text of a file, plain or compressed: at most 64 MiB and a hundred times its bytes. */
function read(file: string): string {
  const bytes = readFileSync(file);
  const most = Math.min(2 ** 29, 2 ** 26 + 100 * bytes.length);
  try {
    return (file.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: most }) : bytes).toString('utf8');
  } catch (thrown) {
    throw (thrown as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE' ? new TypeError(`${file} has more than ${most} bytes`) : thrown;
  }
}
