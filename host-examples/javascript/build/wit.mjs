// Shapes the contract, as layerwise-wit writes it, into what maps values to JSON and back and checks arguments.
//
// A type is written as a primitive's name, as `INTERFACE/NAME`, or as a list:
// ["list", T], ["option", T], ["tuple", T…], ["result", T | null, E | null],
// ["borrow", "INTERFACE/NAME"].
import { spawnSync } from 'node:child_process';

/** The contract in this repository, which `layerwise-wit` reads. */
export function contract(repository) {
  const words = ['run', '--quiet', '--package', 'layerwise-wit', 'wit'];
  const { status, error, stdout } = spawnSync('cargo', words, { cwd: repository, encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error(`the WIT cannot be read (${error?.message ?? 'cargo failed'}): install Rust`);
  return JSON.parse(stdout);
}

/** The description of the package, with the imports and exports of a world. */
export function describe(contract, world) {
  const { imports, exports } = contract.worlds[world];
  const wit = { package: `${contract.package}@${contract.version}`, imports: imports.filter((name) => name !== 'types'), exports, interfaces: {}, types: {} };
  for (const { name, types, functions } of contract.interfaces) {
    const resources = types.filter(({ kind }) => kind === 'resource');
    const described = { functions: {}, resources: resources.map((one) => one.name) };
    wit.interfaces[name] = described;
    for (const type of types) wit.types[`${name}/${type.name}`] = definition(type);
    for (const one of functions) described.functions[one.name] = func(one, []);
    for (const resource of resources) {
      const self = [['self', ['borrow', `${name}/${resource.name}`]]];
      for (const method of resource.functions) described.functions[`[method]${resource.name}.${method.name}`] = func(method, self);
    }
  }
  return wit;
}

function definition({ kind, of, members }) {
  if (kind === 'type') return { alias: of };
  if (kind === 'resource') return { resource: true };
  const typed = kind === 'record' || kind === 'variant';
  return { [kind]: members.map(({ name, type }) => (typed ? [name, type] : name)) };
}

function func({ name, params, result }, first) {
  return { name, params: [...first, ...params.map(({ name, type }) => [name, type])], result };
}
