/**
 * Packages that are broken on purpose: text put at the top of a real agent. All of them pass their self-test, as
 * the bad release that reaches a fleet always has.
 */
const unlessTested = (text: string) => `if (process.argv[2] === 'run') { ${text} }\n`;

export const CRASHES = unlessTested('console.error("broken on purpose: crashes at start"); process.exit(3);');
export const HANGS = unlessTested('for (;;) {}');
/** Alive and beating, and never speaks to anybody. */
export const SILENT = unlessTested(`
  const fs = require('node:fs');
  const file = fs.openSync(process.argv[4] + '/state/alive', 'w');
  let n = 0;
  setInterval(() => fs.writeSync(file, String(++n).padStart(10, '0') + '\\n', 0), 500);
  await new Promise(() => {});
`);
/** Does not even pass its self-test. */
export const UNLOADABLE = 'throw new Error("broken on purpose: cannot be loaded");\n';
