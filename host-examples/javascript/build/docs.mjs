// Documents jco's .d.ts files with the comments of the WIT: a component does
// not carry them. Resources also get what their wrappers add to them.

/** The .d.ts file with comments. */
export function document(file, text, wit) {
  const name = /layerwise-cache-([a-z-]+)\.d\.ts$/.exec(file)?.[1];
  const described = wit.interfaces[name];
  if (!described) return text;
  let inside = null;
  let members = [];
  const lines = [];
  for (const line of text.replace(/^function /gm, 'declare function ').replace(/\/\*\*\n \* # Variants\n[^]*?\*\/\n/g, '').split('\n')) {
    const declared = /^export (?:interface|class|type) (\w+)/.exec(line);
    const called = /^export function (\w+)\(/.exec(line);
    const member = /^ {2}'?([\w$]+)'?(\?|\(|:)/.exec(line);
    if (declared) {
      inside = byName(wit.types, name, declared[1]);
      members = inside ? (inside.record ?? inside.flags ?? []).map((m) => camel(Array.isArray(m) ? m[0] : m)) : [];
      if (inside?.doc && !(declared[0].includes('type') && inside.alias === undefined && !inside.enum && !inside.variant)) push(inside.doc, '');
      if (inside?.docs && (inside.enum || inside.variant)) lines.splice(-1, 1, withCases(lines.at(-1), inside));
    } else if (called) {
      push(Object.values(described.functions).find((f) => camel(f.name) === called[1] && !f.params.some(([p]) => p === 'self'))?.doc, '');
    } else if (member && inside?.resource) {
      const method = Object.values(described.functions).find((f) => camel(f.name) === member[1] && f.params[0]?.[0] === 'self');
      push(method?.doc, '  ');
    } else if (member && inside?.docs) push(inside.docs[members.indexOf(member[1])], '  ');
    if (line === '}' && inside?.resource) {
      lines.push('  /** Gives the resource back; using it further is an error. */', '  close(): void;', '  [Symbol.dispose](): void;');
    }
    if (line === '}') inside = null;
    lines.push(line);
  }
  return lines.join('\n');

  function push(doc, indent) {
    if (doc) lines.push(comment(doc.split('\n'), indent));
  }
}

function withCases(before, type) {
  const cases = (type.enum ?? type.variant).map((c) => (Array.isArray(c) ? c[0] : c));
  const told = cases.map((name, i) => `- \`${name}\`${type.docs[i] ? `: ${type.docs[i].replaceAll('\n', ' ')}` : ''}`);
  const doc = before.startsWith('/**') ? type.doc.split('\n') : [];
  const text = comment([...doc, ...(doc.length ? [''] : []), ...told], '');
  return doc.length ? text : `${before}\n${text}`;
}

function comment(lines, indent) {
  const safe = lines.map((line) => line.replaceAll('*/', '* /'));
  if (safe.length === 1) return `${indent}/** ${safe[0]} */`;
  return [`${indent}/**`, ...safe.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`].join('\n');
}

function byName(types, name, pascal) {
  const key = Object.keys(types).find((key) => key.startsWith(`${name}/`) && upper(camel(key.slice(name.length + 1))) === pascal);
  return key && types[key];
}

function upper(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `media-type` as `mediaType`. */
export function camel(name) {
  return name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}
