/*
 * What `npm run docs` runs: makes docs/api.md and the types of the dispatcher's functions anew, from the registry.
 */
import { writeFileSync } from 'node:fs';
import { madeFiles } from './reference.ts';

for (const [path, text] of madeFiles()) writeFileSync(path, text);
