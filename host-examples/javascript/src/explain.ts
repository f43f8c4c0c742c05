// Explanations for people: the catalogue of codes, and texts of what was found.
import type { Builds, Rules } from './instance.js';
import type { Types } from './lent.js';
import { escape } from './text.js';

/** What every code means, and what to do about it. */
export class Catalogue {
  readonly #rules: ReadonlyMap<string, Rules.Rule>;

  constructor(rules: readonly Rules.Rule[]) {
    this.#rules = new Map(rules.map((rule) => [rule.code, rule]));
  }

  /** What is known of a code. */
  rule(code: string): Rules.Rule | undefined {
    return this.#rules.get(code);
  }

  /** What a code means; an unknown one is itself. */
  meaning(code: string): string {
    return this.#rules.get(code)?.meaning ?? code;
  }

  /** What to do about a finding: what is known of this one, else of its code. */
  advice({ code, hint }: Pick<Types.Finding, 'code' | 'hint'>): string {
    return hint ?? this.#rules.get(code)?.advice ?? '';
  }
}

/** An explanation as text: the outcome, the nearest candidate, then every finding, causes before what follows. */
export function explained({ summary, nearest, findings, considered }: Types.Explanation, catalogue: Catalogue): string {
  const lines = found(summary, catalogue, 0);
  lines.push(`  looked at ${considered} ${considered === 1n ? 'candidate' : 'candidates'}`);
  if (nearest) lines.push('nearest', ...found(nearest, catalogue, 2));
  const rest = findings.filter(({ code, subject }) => code !== nearest?.code || subject !== nearest.subject);
  if (rest.length > 0) lines.push('all verdicts', ...rest.flatMap((one) => found(one, catalogue, 2)));
  return text(lines);
}

/** Why the steps of a build ran, as text: every cause with its line, old and new, what it made run, and what to do. */
export function reasons({ verdicts, causes }: Builds.Reasons, catalogue: Catalogue): string {
  const step = (at: number): Builds.Step => (verdicts[at] as Builds.Verdict).step;
  const steps = verdicts.filter(({ step }) => step.inputs.length > 0);
  const ran = steps.filter(({ step }) => step.state === 'ran' || step.state === 'failed').length;
  const lines = [`${ran} of ${steps.length} steps ran: ${causes.length} ${causes.length === 1 ? 'cause' : 'causes'}`];
  for (const { finding, steps: having, follow, lost } of causes) {
    lines.push(...Array.from(having, (at) => `${placeOf(step(at))}${step(at).name}`), ...found(finding, catalogue, 2, ['old', 'new']));
    const seconds = lost > 0n ? `, ${secondsOf(lost)}` : '';
    if (follow.length > 0) lines.push(`  made ${follow.length} more ${follow.length === 1 ? 'step' : 'steps'} run${seconds}`);
  }
  return text(lines);
}

/** `line 7: `; empty for a step that the Dockerfile does not tell of. */
function placeOf({ lines }: Builds.Step): string {
  return lines[0] ? `line ${lines[0].first}: ` : '';
}

/** Nanoseconds as `1.5 s`. */
export function secondsOf(nanoseconds: bigint): string {
  return `${(Number(nanoseconds) / 1e9).toFixed(1)} s`;
}

function found(finding: Types.Finding, catalogue: Catalogue, indent: number, [have, want] = ['have', 'want']): string[] {
  const space = ' '.repeat(indent);
  const follows = finding.cascade ? ' (follows)' : '';
  const advice = catalogue.advice(finding);
  return [
    `${space}${finding.code}${follows}: ${catalogue.meaning(finding.code)}`,
    ...finding.differences.map((one) =>
      one.want === undefined
        ? `${space}  ${one.path}  ${one.have ?? ''}`
        : `${space}  ${one.path}  ${have} ${JSON.stringify(one.have ?? null)}  ${want} ${JSON.stringify(one.want)}`,
    ),
    ...(advice ? [`${space}  advice: ${advice}`] : []),
  ];
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${escape(line)}\n`).join('');
}
