/** Write a Wardian plugin in TypeScript: a tool is a description, a schema and a function. */

/** A JSON Schema from which the type of its values is known. `Optional` says that a property may be left out. */
export interface Schema<T, Optional extends boolean = false> {
  /** The schema itself. */
  readonly json: Record<string, unknown>;
  readonly isOptional: Optional;
  /** Checks a value and fills in defaults; throws `InvalidInput`. */
  read(value: unknown, where: string): T;
  /** The same with other words for it. */
  describe(description: string): Schema<T, Optional>;
  /** A property that may be left out. */
  optional(): Schema<T | undefined, true>;
  /** A property that may be left out and then has this value. */
  default(value: T): Schema<T, Optional>;
  /** Null is allowed too. */
  nullable(): Schema<T | null, Optional>;
}

/** The type of a schema's values. */
export type Infer<S> = S extends Schema<infer T, boolean> ? T : unknown;

type Properties = Record<string, Schema<any, boolean>>;
type OptionalNames<P extends Properties> = { [K in keyof P]: P[K] extends Schema<any, true> ? K : never }[keyof P];
type ObjectOf<P extends Properties> = { [K in Exclude<keyof P, OptionalNames<P>>]: Infer<P[K]> } & {
  [K in OptionalNames<P>]?: Infer<P[K]>;
} extends infer O
  ? { [K in keyof O]: O[K] }
  : never;

/** Keywords of JSON Schema beside the type. */
type Keywords = Record<string, unknown>;

/** Builds schemas. Each takes a description for the model. */
export declare const s: {
  string(description?: string, keywords?: Keywords): Schema<string>;
  number(description?: string, keywords?: Keywords): Schema<number>;
  integer(description?: string, keywords?: Keywords): Schema<number>;
  boolean(description?: string, keywords?: Keywords): Schema<boolean>;
  /** Whatever JSON has. */
  any(description?: string): Schema<any>;
  /** One of some values. */
  enum<const V extends readonly (string | number | boolean)[]>(values: V, description?: string): Schema<V[number]>;
  array<T>(item: Schema<T, boolean>, description?: string, keywords?: Keywords): Schema<T[]>;
  /** An object with any names and values of one kind. */
  record<T>(item: Schema<T, boolean>, description?: string): Schema<Record<string, T>>;
  /** An object with exactly these properties. */
  object<P extends Properties>(properties: P, description?: string): Schema<ObjectOf<P>>;
  /** What fits one of several schemas. */
  union<const U extends readonly Schema<any, boolean>[]>(schemas: U, description?: string): Schema<Infer<U[number]>>;
};

/** A part of an answer: made by `text`, `data`, `file` and `other`. */
export interface Part {
  readonly tag: "text" | "data" | "blob" | "other";
  readonly value: unknown;
}

/** Text for the model. */
export declare function text(words: string): Part;
/** A JSON value. */
export declare function data(value: unknown): Part;
/** A file: its bytes, what they are, and the name to show. */
export declare function file(bytes: Uint8Array, mediaType?: string, name?: string): Part;
/** Something in a form that the contract does not know; kept and passed on. */
export declare function other(kind: string, body: unknown): Part;

/** What is said of a tool. */
export interface About<I, O> {
  /** Unique inside the plugin: `[a-z][a-z0-9_]{0,47}`. */
  name: string;
  /** For the model: what it does, when to use it, when not to. */
  description: string;
  /** Of the arguments: made with `s.object`, or JSON Schema as it is. */
  input?: I;
  /** Of the answer's value. */
  output?: O;
  /** A name for people. */
  title?: string;
  examples?: { input: unknown; output?: unknown }[];
  /** Changes nothing outside of the call. */
  readOnly?: boolean;
  /** May be repeated under the same call id. */
  idempotent?: boolean;
  /** Only adds; never overwrites or removes. */
  additive?: boolean;
  /** Reaches no outside party. */
  closedWorld?: boolean;
  /** All four of these. */
  pure?: boolean;
}

type Arguments<I> = I extends Schema<infer T, boolean> ? T : Record<string, any>;
type Answer<O> = O extends Schema<infer T, boolean> ? T | Part | Part[] : unknown;
type Run<I, O> = (input: Arguments<I>) => Answer<O> | Promise<Answer<O>>;

/** Declares a tool. An answer is text for the model, any other value as JSON, or parts. */
export declare function tool<
  const I extends Schema<any, boolean> | Record<string, unknown>,
  const O extends Schema<any, boolean> | Record<string, unknown>,
>(about: About<I, O>, run: Run<I, O>): unknown;

/** What an error may carry: a stable code for programs, and seconds after which a retry makes sense. */
export interface ErrorOptions {
  code?: string;
  retryAfter?: number;
  cause?: unknown;
}

/** A failure that the caller can act on; throw one of the classes below. */
export declare class ToolError extends Error {
  constructor(message: string, options?: ErrorOptions);
  readonly reason: "invalid_input" | "not_found" | "unauthorized" | "refused" | "unavailable" | "failed";
  readonly code: string | undefined;
  readonly retryAfter: number | undefined;
}
/** The model should correct its arguments. */
export declare class InvalidInput extends ToolError {}
/** The thing named does not exist: choose another. */
export declare class NotFound extends ToolError {}
/** A credential or a grant is missing: the operator must act. */
export declare class Unauthorized extends ToolError {}
/** Understood and refused: do not retry. */
export declare class Refused extends ToolError {}
/** Passing trouble: may be retried. */
export declare class Unavailable extends ToolError {}
/** Anything else. */
export declare class Failed extends ToolError {}

/** What is known about the call that is running. The names are opaque and give no rights. */
export declare const context: {
  /** The same when the host repeats a call: an idempotency key towards other services. */
  id(): string;
  session(): string;
  agent(): string;
  user(): string | undefined;
  /** Seconds until the host ends the call. */
  timeLeft(): number;
  trace(): string | undefined;
};

/** Lines for the operator's log. */
export declare const log: {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
};

/** Settings from the operator's `[plugin.NAME.config]`. */
export declare const config: {
  get(key: string): string | undefined;
  get(key: string, fallback: string): string;
  keys(): string[];
};

/** Credentials that the tool must hold itself; the usual way is to have them injected into requests. */
export declare const secrets: {
  /** Throws `Unauthorized` unless the operator wrote `NAME = "reveal"`. */
  reveal(name: string): string;
  ready(name: string): boolean;
};

/** A small durable key-value store. What a call writes becomes durable together with its result. */
export declare const store: {
  get(key: string): Uint8Array | undefined;
  /** At most 64 KiB. */
  set(key: string, value: Uint8Array | string): void;
  getJson<T = any>(key: string, fallback?: T): T;
  setJson(key: string, value: unknown): void;
  delete(key: string): void;
  keys(options?: { prefix?: string; after?: string; limit?: number }): string[];
};

/** Files that can be made again; they may vanish between calls. */
export declare const cache: {
  size(name: string): number | undefined;
  read(name: string, offset?: number, length?: number): Uint8Array | undefined;
  write(name: string, content: Uint8Array | string): void;
  delete(name: string): void;
  names(): string[];
};

/** What a tool can say while it runs, and whether somebody still listens. */
export declare const feedback: {
  /** A share between 0 and 1 where it is known, and a short note for people. */
  progress(share: number | undefined, note?: string): void;
  /** Hands over a part of the answer now. It is kept even if the call fails later. */
  emit(answer: unknown): void;
  cancelled(): boolean;
};

/** A response, read to its end. The names of its headers are in small letters. */
export interface Response {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  text(): string;
  json(): any;
}

export interface RequestOptions {
  method?: string;
  /** Added to the address. */
  params?: Record<string, string | number | boolean>;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** A body in JSON. */
  json?: unknown;
  /** In seconds. */
  timeout?: number;
}

/** HTTP requests to hosts that the operator granted. They answer at once; `await` does no harm. */
export declare const http: {
  request(url: string, options?: RequestOptions): Response;
  get(url: string, options?: RequestOptions): Response;
  post(url: string, options?: RequestOptions): Response;
};
