// What the package offers in Node: stores to lend, and deadlines.
export { fromDockerConfig, type Credentials } from './credentials.js';
export { withDeadline } from './deadline.js';
export { Directories, type WalkLimits } from './directory.js';
export { LayoutImages, type LayoutOptions } from './images.js';
export type { Root } from './places.js';
export { Repositories, type RepositoriesOptions } from './repositories.js';
