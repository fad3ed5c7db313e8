// Asks an installed gateway's own channels whom an entry of an allowlist lets in: node real_senders.mjs PACKAGE PLUGINS, a JSON list of
// [channel, entry, sender] on standard input, the list of answers on standard output. PLUGINS holds one folder for each channel. The
// identity by which a channel compares is a constant inside a file of its own; it is exported as the file is loaded, and the
// gateway's resolver of `openclaw/plugin-sdk/channel-ingress-runtime` decides.
import fs from "node:fs";
import { registerHooks } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [gateway, plugins] = process.argv.slice(2);
const stable = (sender) => ({ stableId: sender });
// Where it stands and what it is called; who it is that sends, as the channel's monitor says it.
const CHANNELS = {
  telegram: ["telegramIngressIdentity", [], stable],
  discord: ["discordIngressIdentity", [], stable],
  slack: ["slackIngressIdentity", ["createSlackIngressSubject"], (sender, make) => make({ senderId: sender, teamId: "T0TEAM" })],
  signal: [
    "signalIngressIdentity",
    ["signalSubjectInput", "resolveSignalSender"],
    (sender, make, resolve) => {
      const number = sender.startsWith("+");
      return make({ sender: resolve(number ? { sourceNumber: sender } : { sourceUuid: sender }) });
    },
  ],
  imessage: ["imessageIngressIdentity", [], stable],
  matrix: ["matrixIngressIdentity", [], stable],
  whatsapp: ["normalizeWhatsAppIngressPhone", [], stable],
};

const sources = new Map(); // address of a file: names to export
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const names = sources.get(url);
    if (!names) return loaded;
    const more = names.map((name) => `export { ${name} as real_${name} };`).join("\n");
    return { ...loaded, source: `${loaded.source}\n${more}\n` };
  },
});

function place(channel, name) {
  const dist = channel === "telegram" ? path.join(gateway, "dist") : path.join(plugins, channel, "dist", ".setup");
  const files = fs.readdirSync(dist).filter((file) => file.endsWith(".mjs")).map((file) => fs.realpathSync(path.join(dist, file)));
  const found = files.filter((file) => new RegExp(`^(const|function) ${name}\\b`, "m").test(fs.readFileSync(file, "utf8")));
  return found.length === 1 ? found[0] : null;
}

async function load(channel) {
  const [name, helpers] = CHANNELS[channel];
  const file = place(channel, name);
  if (!file) throw new Error(`${channel}: ${name} stands in no file, or in several`);
  sources.set(pathToFileURL(file).href, [name, ...helpers]);
  const module = await import(pathToFileURL(file));
  return [name, ...helpers].map((key) => module[`real_${key}`]);
}

const ingress = await import(pathToFileURL(path.join(gateway, "dist", "plugin-sdk", "channel-ingress-runtime.js")));
async function admits(channel, [found, ...helpers], entry, sender) {
  const identity = typeof found === "function" ? ingress.defineStableChannelIngressIdentity({ kind: "phone", normalize: found }) : found;
  const subject = CHANNELS[channel][2](sender, ...helpers);
  const resolver = ingress.createChannelIngressResolver({
    channelId: channel,
    accountId: "default",
    identity,
    cfg: {},
    readStoreAllowFrom: async () => [entry],
  });
  const conversation = { kind: "direct", id: "here" };
  const answer = await resolver.message({ subject, conversation, dmPolicy: "pairing", groupPolicy: "disabled", allowFrom: [] });
  return answer.senderAccess.decision === "allow";
}

let text = "";
for await (const piece of process.stdin.setEncoding("utf8")) text += piece;
const asked = JSON.parse(text);
const loaded = {};
for (const channel of new Set(asked.map(([name]) => name))) loaded[channel] = await load(channel);
const answers = [];
for (const [channel, entry, sender] of asked) answers.push(await admits(channel, loaded[channel], entry, sender));
process.stdout.write(JSON.stringify(answers) + "\n", () => process.exit(0));
