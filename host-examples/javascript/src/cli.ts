#!/usr/bin/env node
// `layerwise`: the command line of this package.
import { readFile } from 'node:fs/promises';
import { argv } from 'node:process';
import { parseArgs } from 'node:util';
import { demo } from './cli/demo.js';
import { conformance, replay } from './cli/replay.js';
import { escape } from './text.js';
import { Engine } from './engine.js';

const HELP = `Decides what a container build may reuse, and says why.

  layerwise demo                      three decisions on sample data
  layerwise conformance FILE...       plays transcripts again; for tests/vectors/X it plays tests/calls/X
  layerwise replay FILE...            plays transcripts again
  layerwise --version

Exit codes: 0 done, 1 something differs, 2 wrong command line, 3 an error.`;

process.exitCode = await main(argv.slice(2));

async function main(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' } },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
  const { values: options, positionals } = parsed;
  const [command, ...files] = positionals;
  if (options.help) return say(HELP);
  if (options.version) return say(`layerwise ${(JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version}`);
  try {
    switch (command) {
      case 'demo':
        return files.length > 0 ? usage('demo takes no arguments') : say(demo(await Engine.load()));
      case 'conformance':
        return files.length === 0 ? usage('conformance needs files') : await conformance(await Engine.load(), files);
      case 'replay':
        return files.length === 0 ? usage('replay needs files') : await replay(await Engine.load(), files);
      case undefined:
        return usage('a command is needed');
      default:
        return usage(`there is no command ${JSON.stringify(command)}`);
    }
  } catch (error) {
    console.error(escape(`layerwise: ${(error as Error).message}`));
    return 3;
  }
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function usage(problem: string): number {
  console.error(`layerwise: ${problem}\n\n${HELP}`);
  return 2;
}
