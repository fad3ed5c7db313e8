// Calls one function of an installed gateway many times: node real_function.mjs PACKAGE NAME, a JSON list of lists of parameters on standard
// input, the list of results on standard output. Versions name their files and exports anew; the name inside stays.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, name] = process.argv.slice(2);
// Before anything of the gateway's is loaded: it makes standard input non-blocking.
const calls = JSON.parse(fs.readFileSync(0, "utf8"));
const dist = path.join(folder, "dist");
const folders = [dist, path.join(dist, "config")].filter((place) => fs.existsSync(place));
const files = folders.flatMap((place) => fs.readdirSync(place).map((file) => path.join(place, file)));
const exported = new RegExp(`\\b${name} as (\\w+)|export function ${name}\\b`);
const holds = (text) => text.includes(`function ${name}(`) && exported.test(text);
const file = files.find((place) => /\.m?js$/.test(place) && holds(fs.readFileSync(place, "utf8")));
const call = (await import(pathToFileURL(file)))[exported.exec(fs.readFileSync(file, "utf8"))[1] ?? name];
process.stdout.write(JSON.stringify(calls.map((parameters) => call(...parameters))) + "\n", () => process.exit(0));
