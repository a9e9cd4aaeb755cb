// The routes, and what holds for all of them: who may ask, from where, and what an error looks like.

import { createHash, timingSafeEqual } from "node:crypto";
import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import { answer, answerAtOnce, refusal } from "./answering.ts";
import { ApiError, asApiError } from "./api-error.ts";
import { prepareChat } from "./chat-completions.ts";
import { prepareCompletion } from "./completions.ts";
import { prepareEmbeddings } from "./embeddings.ts";
import type { ServedModel } from "./served-model.ts";
import type { Server } from "./server.ts";
import { detokenize, tokenize, tokenizerInfo } from "./tokens.ts";

/** Who may ask. */
export interface Access {
  /** without one, everybody who reaches the server */
  readonly apiKey: string | undefined;
  /** origins whose pages may ask; `*` for all */
  readonly corsOrigins: readonly string[];
  /** names that a request may give the server; undefined for any */
  readonly hosts: ReadonlySet<string> | undefined;
}

/** The names of a server that only this machine reaches: a page that makes its own name lead here does not know them. */
export const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Makes the routes. */
export function makeApp(server: Server, access: Access): Hono {
  const app = new Hono();
  app.onError((error, context) => refusal(context, asApiError(error, server.onUnexpected)));
  app.notFound((context) =>
    refusal(context, new ApiError(404, `there is no ${context.req.method} ${context.req.path.slice(0, 100)}`)),
  );
  const { corsOrigins } = access;
  if (corsOrigins.length > 0) {
    app.use(
      cors({ origin: corsOrigins.includes("*") ? "*" : [...corsOrigins], allowMethods: ["GET", "POST"], maxAge: 600 }),
    );
  }
  app.get("/health", (context) => {
    const status = server.isDraining ? "shutting down" : server.isReady ? "ok" : "loading";
    return context.json({ status }, status === "ok" ? 200 : 503);
  });
  app.use(async (context, next) => {
    checkAccess(context, access);
    await next();
  });

  app.post("/v1/chat/completions", (context) => answer(server, context, "chat", prepareChat));
  app.post("/v1/completions", (context) => answer(server, context, "completions", prepareCompletion));
  app.post("/v1/embeddings", (context) => answer(server, context, "embeddings", prepareEmbeddings));
  app.get("/v1/models", (context) => context.json({ object: "list", data: server.models.all.map(described) }));
  app.get("/v1/models/:id{.+}", (context) => context.json(described(server.models.find(context.req.param("id")))));
  app.post("/tokenize", (context) => answerAtOnce(server, context, "tokenize", tokenize));
  app.post("/detokenize", (context) => answerAtOnce(server, context, "detokenize", detokenize));
  app.get("/tokenizer_info", (context) => context.json(tokenizerInfo(context.req.query("model"), server)));
  app.get("/metrics", async ({ body }) =>
    body(await server.metrics.text(), 200, { "content-type": server.metrics.contentType }),
  );
  return app;
}

function described({ id, created, model }: ServedModel): object {
  return { id, object: "model", created, owned_by: "kedge", max_model_len: model.contextLength };
}

/** Throws an {@link ApiError} for a request that may not ask. */
function checkAccess({ req }: Context, { apiKey, hosts }: Access): void {
  if (apiKey !== undefined) {
    const given = /^Bearer (.+)$/i.exec(req.header("authorization") ?? "")?.[1];
    if (given !== undefined && isSame(given, apiKey)) return;
    const problem = given === undefined ? "the request has no API key" : "the API key is wrong";
    throw new ApiError(401, `${problem}: wanted the header "Authorization: Bearer KEY"`, { code: "invalid_api_key" });
  }
  const name = (req.header("host") ?? "").replace(/:\d+$/, "").toLowerCase();
  if (hosts && !hosts.has(name)) {
    const names = [...hosts].join(", ");
    throw new ApiError(
      403,
      `the request is for the host ${JSON.stringify(name.slice(0, 100))}: without an API key this server answers to ${names}`,
    );
  }
}

/** Compares in a time that says nothing about either. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other));
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
