// Has an installed gateway judge configurations as it does before it starts: node real_validation.mjs PACKAGE, a JSON list of
// configurations on standard input, for each a list of what is wrong with it on standard output. One process for all: the command
// `config validate` takes seconds for each. Versions name their files and exports anew; the name inside stays.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const NAME = "validateConfigObjectWithPlugins";
// Before anything of the gateway's is loaded: it makes standard input non-blocking.
const configs = JSON.parse(fs.readFileSync(0, "utf8"));
const dist = path.join(process.argv[2], "dist");
const folders = [dist, path.join(dist, "config")].filter((folder) => fs.existsSync(folder));
const files = folders.flatMap((folder) => fs.readdirSync(folder).map((name) => path.join(folder, name)));
const file = files.find((name) => /\.m?js$/.test(name) && fs.readFileSync(name, "utf8").includes(`function ${NAME}(`));
const alias = new RegExp(`\\b${NAME} as (\\w+)`).exec(fs.readFileSync(file, "utf8"))?.[1] ?? NAME;
const validate = (await import(pathToFileURL(file)))[alias];
const found = configs.map((config) => {
  const { ok, issues = [], warnings = [] } = validate(config);
  return [...(ok ? [] : issues), ...warnings].map((issue) => `${issue.path}: ${issue.message}`);
});
process.stdout.write(JSON.stringify(found) + "\n", () => process.exit(0));
