// What the package offers in Node: the ready-made stores, and deadlines.
export { withDeadline } from './deadline.js';
export { Wasi, type WasiOptions } from './wasi.js';
