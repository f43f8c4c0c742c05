// What the worker answers, and how answers begin.

/**
 * @typedef {{ path: string, have?: string | undefined, want?: string | undefined }} Difference
 * @typedef {{ code: string, subject: string, differences: Difference[], cascade?: boolean, other?: boolean, compared?: boolean, hint?: string | undefined }} Finding
 * @typedef {Finding & { meaning: string, advice: string, good: boolean }} Told
 * @typedef {'cause' | 'follows' | 'stale' | 'failed' | 'ran' | 'cached' | 'hit' | 'miss' | 'undecided' | 'source' | 'resolved' | 'unneeded' | 'unknown'} Role
 * @typedef {{ name: string, lines: number[][], inputs: number[], role: Role, took: string, platform: string, code: string }} ShownStep
 * @typedef {{ steps: number[], follow: number[], lost: string }} Reach
 * @typedef {{ file: string, text: string, steps: ShownStep[], sides: [string, string] }} ShownBuild
 * @typedef {'hit' | 'miss' | 'note'} Kind
 * @typedef {{ verdict: Kind, title: string, text: string, facts: [string, string][], swapped?: boolean }} Begun
 * @typedef {Begun & { findings: Finding[], build?: ShownBuild & { causes: (Reach & { finding: Finding })[] } }} Answered
 * @typedef {Begun & { findings: Told[], build?: ShownBuild & { causes: (Reach & { finding: Told })[] } }} Answer
 */

/**
 * @param {number} number
 * @param {string} one
 * @param {string} many
 */
export function count(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

/**
 * @param {string} title
 * @param {string} text
 * @param {[string, string][]} facts
 * @param {Finding[]} findings
 * @returns {Answered}
 */
export function hit(title, text, facts = [], findings = []) {
  return { verdict: 'hit', title, text, facts, findings };
}

/**
 * @param {string} title
 * @param {string} text
 * @param {Finding[]} findings
 * @param {[string, string][]} facts
 * @returns {Answered}
 */
export function miss(title, text, findings, facts = []) {
  return { verdict: 'miss', title, text, facts, findings };
}

/**
 * @param {string} title
 * @param {string} text
 * @returns {Answered}
 */
export function note(title, text) {
  return { verdict: 'note', title, text, facts: [], findings: [] };
}
