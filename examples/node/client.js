// Asks scic for a context: node client.js --address HOST:PORT --key KEY "question"
// Then sends a bad request, to show how an error is read.
"use strict";

const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const DEADLINE_MS = 10_000;
const PROTOS = path.join(__dirname, "../../protos");

const definition = loader.loadSync(
  ["scic/gateway/v1/context_service.proto", "google/rpc/status.proto", "error_details.proto"],
  { includeDirs: [PROTOS, __dirname], keepCase: true, enums: String, longs: Number, defaults: true },
);
const { ContextService } = grpc.loadPackageDefinition(definition).scic.gateway.v1;

/** A promise of the reply; it rejects with grpc's ServiceError. */
function buildContext(client, key, request) {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${key}`);
  const options = { deadline: Date.now() + DEADLINE_MS };
  return new Promise((resolve, reject) => {
    client.BuildContext(request, metadata, options, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

/** What is in an error's trailers, by message name: {"google.rpc.ErrorInfo": {...}, "google.rpc.BadRequest": {...}}. */
function errorDetails(error) {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!bytes) return {}; // not an answer of scic: the network, or a proxy
  const status = definition["google.rpc.Status"].deserialize(bytes);
  const known = status.details
    .map(({ type_url, value }) => [type_url.split("/").pop(), value])
    .filter(([name]) => definition[name]);
  return Object.fromEntries(known.map(([name, value]) => [name, definition[name].deserialize(value)]));
}

function printContext(context) {
  for (const { role, content } of context.messages) {
    console.log(`--- ${role.replace("ROLE_", "").toLowerCase()}\n${content}`);
  }
  console.log(`--- evidence, ${context.tokens.total} of ${context.tokens.max_tokens} tokens used`);
  for (const { citation, document_id, passage_id, title_path, score } of context.evidence) {
    console.log(`[${citation}] ${document_id || passage_id} (${title_path.join(" > ")}), score ${score.value.toFixed(3)}`);
  }
  for (const { stage, reason, detail } of context.degradations) {
    console.log(`degraded: ${stage} ${reason}: ${detail}`);
  }
}

function printError(error) {
  if (!(error.code in grpc.status)) throw error; // no answer to a call, but a bug
  const { "google.rpc.ErrorInfo": info, "google.rpc.BadRequest": badRequest } = errorDetails(error);
  console.log(`${grpc.status[error.code]}${info ? ` ${info.reason}` : ""}: ${error.details}`);
  for (const [name, value] of Object.entries(info?.metadata ?? {})) {
    console.log(`  ${name} = ${value}`);
  }
  for (const { field, description } of badRequest?.field_violations ?? []) {
    console.log(`  field ${field}: ${description}`);
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { address: { type: "string" }, key: { type: "string" }, "max-tokens": { type: "string", default: "1000" } },
  });
  if (!values.address || !values.key || positionals.length !== 1) {
    console.error('usage: node client.js --address HOST:PORT --key KEY [--max-tokens N] "question"');
    return 2;
  }
  const [question] = positionals;
  // The laptop's mesh speaks plain HTTP/2; behind TLS take grpc.credentials.createSsl().
  const client = new ContextService(values.address, grpc.credentials.createInsecure());
  try {
    printContext(await buildContext(client, values.key, { question, max_tokens: Number(values["max-tokens"]) }));
    console.log("--- the same with max_tokens 1");
    await buildContext(client, values.key, { question, max_tokens: 1 }).catch(printError);
    return 0;
  } catch (error) {
    printError(error);
    return 1;
  } finally {
    client.close();
  }
}

main().then((code) => (process.exitCode = code));
