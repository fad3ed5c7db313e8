// Has an installed gateway compile mention patterns as it does for each message: node real_patterns.mjs PACKAGE, a JSON list of patterns on
// standard input, for each why it is ignored, or an empty text. Versions name their files and exports anew; the name inside stays.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const NAME = "compileConfigRegexes";
const patterns = JSON.parse(fs.readFileSync(0, "utf8"));
const dist = path.join(process.argv[2], "dist");
const exported = new RegExp(`\\b${NAME} as (\\w+)`);
const texts = fs.readdirSync(dist).filter((name) => /\.m?js$/.test(name)).map((name) => path.join(dist, name));
const file = texts.find((name) => {
  const text = fs.readFileSync(name, "utf8");
  return text.includes(`function ${NAME}(`) && exported.test(text);
});
const compile = (await import(pathToFileURL(file)))[exported.exec(fs.readFileSync(file, "utf8"))[1]];
const found = patterns.map((pattern) => {
  const { regexes, rejected } = compile([pattern], "i");
  return regexes.length ? "" : (rejected[0]?.reason ?? "empty");
});
process.stdout.write(JSON.stringify(found) + "\n", () => process.exit(0));
