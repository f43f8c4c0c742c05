// Reads WIT files into one description of all types and functions: what maps
// values to JSON and back and checks arguments.
//
// A type is written as a primitive's name, as `INTERFACE/NAME`, or as a list:
// ["list", T], ["option", T], ["tuple", T…], ["result", T | null, E | null],
// ["borrow", "INTERFACE/NAME"].

const PRIMITIVES = new Set(['bool', 'u8', 'u16', 'u32', 'u64', 's8', 's16', 's32', 's64', 'f32', 'f64', 'char', 'string']);

/** The description of the package in these WIT texts, with the imports and exports of a world. */
export function describe(texts, world) {
  const wit = { package: '', imports: [], exports: [], interfaces: {}, types: {} };
  const worlds = {};
  for (const text of texts) new Reader(text, wit, worlds).file();
  const given = (side, name) => worlds[name].flatMap(([word, item]) => (word === 'include' ? given(side, item) : word === side ? [item] : []));
  return { ...wit, imports: given('import', world), exports: given('export', world) };
}

class Reader {
  constructor(text, wit, worlds) {
    this.wit = wit;
    this.worlds = worlds;
    const lexeme = /\/\/[^\n]*|\/\*[^]*?\*\/|->|%?[A-Za-z][A-Za-z0-9-]*|[0-9][0-9A-Za-z.+-]*|[^\s]/g;
    this.tokens = Array.from(text.matchAll(lexeme), ([word]) => word.replace(/^%/, '')).filter((word) => !/^\/[/*]/.test(word));
    this.at = 0;
  }

  peek(ahead = 0) {
    return this.tokens[this.at + ahead];
  }

  next() {
    const token = this.tokens[this.at++];
    if (!token) throw new Error('the WIT text ends early');
    return token;
  }

  take(word) {
    if (this.peek() !== word) return false;
    this.at++;
    return true;
  }

  expect(word) {
    const found = this.next();
    if (found !== word) throw new Error(`expected ${word} in the WIT text, found ${found}`);
  }

  /** Passes over the gates of an item. */
  start() {
    while (this.take('@')) {
      this.next();
      if (this.take('(')) while (this.next() !== ')');
    }
  }

  list(close, item) {
    const items = [];
    while (!this.take(close)) {
      items.push(item());
      if (!this.take(',')) {
        this.expect(close);
        break;
      }
    }
    return items;
  }

  file() {
    while (this.peek() !== undefined) {
      this.start();
      const what = this.next();
      if (what === 'package') {
        let name = '';
        while (!this.take(';')) name += this.next();
        this.wit.package = name;
      } else if (what === 'interface') this.interface();
      else if (what === 'world') this.world();
      else throw new Error(`cannot read ${what} in WIT`);
    }
  }

  world() {
    const items = (this.worlds[this.next()] = []);
    this.expect('{');
    while (!this.take('}')) {
      this.start();
      items.push([this.next(), this.next()]);
      this.expect(';');
    }
  }

  interface() {
    this.name = this.next();
    this.scope = new Map();
    const described = { functions: {}, resources: [] };
    this.wit.interfaces[this.name] = described;
    this.expect('{');
    this.declareAll();
    while (!this.take('}')) {
      this.start();
      const word = this.next();
      if (word === 'use') this.use();
      else if (word === 'type') {
        const name = this.next();
        this.expect('=');
        this.define(name, { alias: this.type() });
        this.expect(';');
      } else if (word === 'resource') this.resource(described);
      else if (word === 'record') this.members('record', () => [this.next(), (this.expect(':'), this.type())]);
      else if (word === 'variant') this.members('variant', () => [this.next(), this.take('(') ? this.list(')', () => this.type())[0] : null]);
      else if (word === 'enum' || word === 'flags') this.members(word, () => this.next());
      else this.func(described, word, word, []);
    }
  }

  /** Names can be used before their definition: finds them all first. */
  declareAll() {
    const kinds = new Set(['record', 'variant', 'enum', 'flags', 'type', 'resource']);
    let depth = 1;
    for (let i = this.at; depth > 0; i++) {
      const word = this.tokens[i];
      if (word === '{') depth++;
      else if (word === '}') depth--;
      else if (depth === 1 && kinds.has(word) && ['{', '=', ';'].includes(this.tokens[i + 2])) {
        const name = this.tokens[i + 1];
        this.scope.set(name, `${this.name}/${name}`);
      }
    }
  }

  use() {
    const from = this.next();
    this.expect('.');
    this.expect('{');
    this.list('}', () => {
      const name = this.next();
      this.scope.set(this.take('as') ? this.next() : name, `${from}/${name}`);
    });
    this.expect(';');
  }

  define(name, definition) {
    this.wit.types[`${this.name}/${name}`] = definition;
  }

  members(kind, member) {
    const name = this.next();
    this.expect('{');
    this.define(name, { [kind]: this.list('}', () => (this.start(), member())) });
  }

  resource(described) {
    const name = this.next();
    described.resources.push(name);
    this.define(name, { resource: true });
    if (this.take(';')) return;
    this.expect('{');
    while (!this.take('}')) {
      this.start();
      const method = this.next();
      const self = [['self', ['borrow', `${this.name}/${name}`]]];
      this.func(described, `[method]${name}.${method}`, method, self);
    }
  }

  func(described, name, word, first) {
    this.expect(':');
    this.expect('func');
    this.expect('(');
    const params = this.list(')', () => {
      const param = this.next();
      this.expect(':');
      return [param, this.type()];
    });
    const result = this.take('->') ? this.type() : null;
    this.expect(';');
    described.functions[name] = { name: word, params: [...first, ...params], result };
  }

  type() {
    const word = this.next();
    if (PRIMITIVES.has(word)) return word;
    if (this.peek() === '<' || word === 'result') {
      const args = this.take('<') ? this.list('>', () => (this.take('_') ? null : this.type())) : [];
      if (word === 'result') return ['result', args[0] ?? null, args[1] ?? null];
      return [word, ...args];
    }
    const known = this.scope.get(word);
    if (!known) throw new Error(`the WIT interface ${this.name} uses the unknown type ${word}`);
    return known;
  }
}
