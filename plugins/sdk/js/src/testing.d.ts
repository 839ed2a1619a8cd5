import type { Part, Response as HttpResponse } from "./index.js";

/** What a tool's request says. */
export interface Request {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Uint8Array;
  timeout: number | undefined;
}

/** What a test grants. */
export interface Grants {
  config?: Record<string, string>;
  secrets?: Record<string, string>;
  store?: Record<string, Uint8Array>;
  http?: (request: Request) => HttpResponse;
  user?: string;
  cancelled?: boolean;
}

/** What the tool has said and kept. */
export interface Host {
  store: Map<string, Uint8Array>;
  cache: Map<string, Uint8Array>;
  logs: { level: string; message: string }[];
  progress: { share: number | undefined; note: string }[];
  emitted: Part[];
}

/** A response to answer a tool's request with. */
export declare class Response implements HttpResponse {
  constructor(status: number, headers?: Record<string, string>, body?: Uint8Array | string);
  readonly status: number;
  readonly ok: boolean;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  text(): string;
  json(): any;
}

/** Runs a function with a fresh host that has these grants. */
export declare function withHost<T>(grants: Grants, body: (host: Host) => T | Promise<T>): Promise<T>;

/** The output of one call as clients see it. Rejects with the SDK's errors. */
export declare function call(name: string, input?: Record<string, unknown>): Promise<any>;

/** What the host sees of each tool, by its name. */
export declare function describe(): Record<
  string,
  {
    description: string;
    input: Record<string, unknown>;
    output?: Record<string, unknown>;
    traits: Record<string, boolean>;
    annotations?: Record<string, unknown>;
  }
>;
