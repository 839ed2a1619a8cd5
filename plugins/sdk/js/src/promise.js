// Promises whose reactions run when they are asked to. The engine inside of a component runs none while the
// host waits for a call's answer, so that `await` would never return; `wardian build` compiles
// `async` functions into generators over these, and a call settles them before it answers.

const jobs = [];

// Runs reactions until none is left. What never ends is ended by the limit on the call's processor time.
export function settle() {
  for (let at = 0; at < jobs.length; at += 1) {
    const job = jobs[at];
    jobs[at] = undefined;
    job();
  }
  jobs.length = 0;
}

// Runs a function after everything that waits already.
export function later(job) {
  jobs.push(job);
}

export class SettledPromise {
  #state = "pending";
  #value = undefined;
  #reactions = [];

  constructor(executor) {
    if (typeof executor !== "function") throw new TypeError("a promise is made of a function");
    const { resolve, reject } = this.#functions();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  // Its state: `pending`, `fulfilled` or `rejected`, and the value or reason.
  static look(promise) {
    return { state: promise.#state, value: promise.#value };
  }

  then(onFulfilled, onRejected) {
    const Kind = this.constructor[Symbol.species] ?? SettledPromise;
    return new Kind((resolve, reject) => {
      const react = (handler, otherwise) => (value) => {
        if (typeof handler !== "function") return otherwise(value);
        try {
          resolve(handler(value));
        } catch (error) {
          reject(error);
        }
      };
      const reaction = { fulfilled: react(onFulfilled, resolve), rejected: react(onRejected, reject) };
      if (this.#state === "pending") this.#reactions.push(reaction);
      else later(() => reaction[this.#state](this.#value));
    });
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(onFinally) {
    if (typeof onFinally !== "function") return this.then(onFinally, onFinally);
    return this.then(
      (value) => SettledPromise.resolve(onFinally()).then(() => value),
      (reason) =>
        SettledPromise.resolve(onFinally()).then(() => {
          throw reason;
        }),
    );
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }

  static get [Symbol.species]() {
    return this;
  }

  static resolve(value) {
    if (value instanceof SettledPromise && value.constructor === this) return value;
    return new this((resolve) => resolve(value));
  }

  static reject(reason) {
    return new this((_, reject) => reject(reason));
  }

  static withResolvers() {
    let functions;
    const promise = new this((resolve, reject) => {
      functions = { resolve, reject };
    });
    return { promise, ...functions };
  }

  static try(run, ...values) {
    return new this((resolve) => resolve(run(...values)));
  }

  static all(values) {
    return this.#collect(values, (resolve, reject, keep) => [keep((value) => value), reject]);
  }

  static allSettled(values) {
    return this.#collect(values, (resolve, reject, keep) => [
      keep((value) => ({ status: "fulfilled", value })),
      keep((reason) => ({ status: "rejected", reason })),
    ]);
  }

  static any(values) {
    return this.#collect(
      values,
      (resolve, reject, keep) => [resolve, keep((reason) => reason)],
      (resolve, reject) => (reasons) => reject(new AggregateError(reasons, "all promises were rejected")),
    );
  }

  static race(values) {
    return new this((resolve, reject) => {
      for (const value of values) this.resolve(value).then(resolve, reject);
    });
  }

  // Waits for all values; `handlers` says what is done with each, `ended` with what was kept of them.
  static #collect(values, handlers, ended = (resolve) => resolve) {
    return new this((resolve, reject) => {
      const kept = [];
      let open = 1;
      const close = () => {
        open -= 1;
        if (open === 0) ended(resolve, reject)(kept);
      };
      let count = 0;
      for (const value of values) {
        const at = count;
        count += 1;
        open += 1;
        const keep = (shape) => (value) => {
          kept[at] = shape(value);
          close();
        };
        this.resolve(value).then(...handlers(resolve, reject, keep));
      }
      close();
    });
  }

  #functions() {
    let isDecided = false;
    const once = (act) => (value) => {
      if (isDecided) return;
      isDecided = true;
      act(value);
    };
    return { resolve: once((value) => this.#resolve(value)), reject: once((reason) => this.#end("rejected", reason)) };
  }

  #resolve(value) {
    if (value === this) return this.#end("rejected", new TypeError("a promise cannot wait for itself"));
    let then;
    try {
      then = value !== null && (typeof value === "object" || typeof value === "function") ? value.then : undefined;
    } catch (error) {
      return this.#end("rejected", error);
    }
    if (typeof then !== "function") return this.#end("fulfilled", value);
    later(() => {
      const { resolve, reject } = this.#functions();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #end(state, value) {
    this.#state = state;
    this.#value = value;
    for (const reaction of this.#reactions) later(() => reaction[state](value));
    this.#reactions = [];
  }
}

Object.defineProperty(SettledPromise, "name", { value: "Promise" });
