// A client of the Auto-Sort service whose requests and answers have the types of its OpenAPI document.

import createFetchClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./generated/api.js";

export type Match = components["schemas"]["Match"];
export type Problem = components["schemas"]["Problem"];

export interface Options {
  /** For example "http://127.0.0.1:8000". */
  baseUrl: string;
  /** A key of `autosort keys add`, where the service asks for one. */
  apiKey?: string;
  /** Who asks: keeps a user on one side of a canary, and says whose feedback it is. */
  userId?: string;
  /** How often a request is sent again that the service was too busy for (429, 503). */
  retries?: number;
}

/** Which version gave an answer; the generation grows with every promotion and rollback. */
export interface AnsweredBy {
  version: string;
  generation: number;
}

/** What the service refused, with what to do about it. */
export class AutosortError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super([problem.message, problem.remedy].filter(Boolean).join(" "));
    this.name = problem.error;
  }
}

export function createClient(options: Options): Client<paths> {
  const client = createFetchClient<paths>({
    baseUrl: options.baseUrl,
    fetch: (request) => fetchPatiently(request, options.retries ?? 3),
  });
  client.use(credentials(options));
  return client;
}

/** The version that gave a response. */
export function answeredBy(response: Response): AnsweredBy {
  return {
    version: response.headers.get("x-model-version") ?? "",
    generation: Number(response.headers.get("x-generation") ?? 0),
  };
}

/** The data of a result of the client, or the service's problem as an error. */
export function unwrap<Data>(result: { data?: Data; error?: unknown; response: Response }): Data {
  if (result.data === undefined) {
    throw new AutosortError(result.response.status, result.error as Problem);
  }
  return result.data;
}

function credentials({ apiKey, userId }: Options): Middleware {
  return {
    onRequest({ request }) {
      if (apiKey) request.headers.set("Authorization", `Bearer ${apiKey}`);
      if (userId) request.headers.set("X-User-Id", userId);
      return request;
    },
  };
}

/** Send a request, and again while the service says that it is busy, when its Retry-After header says. */
async function fetchPatiently(request: Request, retries: number): Promise<Response> {
  const response = await fetch(request.clone());
  if (retries === 0 || (response.status !== 429 && response.status !== 503)) return response;
  await response.body?.cancel();
  const seconds = Number(response.headers.get("retry-after") ?? 1);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return fetchPatiently(request, retries - 1);
}
