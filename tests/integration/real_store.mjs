// Calls the store functions of an installed gateway, the ones its commands call: node real_store.mjs PACKAGE, a JSON list of
// [function, parameters] on standard input, the list of results on standard output. Versions name their files and exports anew each
// time; the names inside stay, and the export list tells what became of them.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const dist = path.join(process.argv[2], "dist");
const folders = [dist, path.join(dist, "pairing")].filter((folder) => fs.existsSync(folder));
const files = folders.flatMap((folder) => fs.readdirSync(folder).map((name) => path.join(folder, name)));
const file = files.find(
  (name) => /\/pairing-store[^/]*\.m?js$/.test(name) && /approveChannelPairingCode/.test(fs.readFileSync(name, "utf8")),
);
const text = fs.readFileSync(file, "utf8");
const exported = /export \{([^}]*)\};?\s*$/.exec(text)?.[1] ?? "";
const alias = Object.fromEntries(exported.split(",").map((pair) => pair.trim().split(" as ")));
const module = await import(pathToFileURL(file));
const results = [];
for (const [name, parameters] of JSON.parse(fs.readFileSync(0, "utf8"))) {
  const call = module[alias[name] ?? name];
  results.push((await (Array.isArray(parameters) ? call(...parameters) : call(parameters))) ?? null);
}
process.stdout.write(JSON.stringify(results) + "\n", () => process.exit(0));
