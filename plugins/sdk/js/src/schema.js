// A small builder of JSON Schemas from which TypeScript knows the type of the arguments. Each schema
// also reads: it checks a value, fills in defaults, and says in words what is wrong.

import { InvalidInput } from "./errors.js";

const SHOWN_MAX = 80;

function expect(holds, value, what, where) {
  if (holds) return;
  const json = JSON.stringify(value) ?? String(value);
  const shown = json.length <= SHOWN_MAX ? json : `${json.slice(0, SHOWN_MAX)}…`;
  throw new InvalidInput(`${where} is ${shown}, not ${what}`);
}

export class Schema {
  constructor(json, read, { isOptional = false, fallback = undefined } = {}) {
    this.json = json;
    this.read = read;
    this.isOptional = isOptional;
    this.fallback = fallback;
  }

  // The same with other words for it.
  describe(description) {
    return this.#with({ ...this.json, description }, {});
  }

  // A property that may be left out.
  optional() {
    return this.#with(this.json, { isOptional: true });
  }

  // A property that may be left out and then has this value.
  default(fallback) {
    return this.#with({ ...this.json, default: fallback }, { isOptional: true, fallback });
  }

  // Null is allowed too.
  nullable() {
    const { description, ...inner } = this.json;
    const json = { ...(description === undefined ? {} : { description }), anyOf: [inner, { type: "null" }] };
    return new Schema(json, (value, where) => (value === null ? null : this.read(value, where)), this);
  }

  #with(json, changes) {
    return new Schema(json, this.read, { isOptional: this.isOptional, fallback: this.fallback, ...changes });
  }
}

const described = (description) => (description === undefined ? {} : { description });

const plain = (type, what, fits) => (description, keywords = {}) =>
  new Schema({ type, ...described(description), ...keywords }, (value, where) => {
    expect(fits(value), value, what, where);
    return value;
  });

export const s = {
  string: plain("string", "text", (value) => typeof value === "string"),
  number: plain("number", "a number", (value) => typeof value === "number"),
  integer: plain("integer", "a whole number", (value) => Number.isInteger(value)),
  boolean: plain("boolean", "true or false", (value) => typeof value === "boolean"),

  // Whatever JSON has.
  any: (description) => new Schema(described(description), (value) => value),

  // One of some values.
  enum(values, description) {
    const kinds = new Set(values.map((value) => typeof value));
    const [kind] = kinds;
    const typed = kinds.size === 1 && ["string", "number", "boolean"].includes(kind) ? { type: kind } : {};
    return new Schema({ ...typed, enum: [...values], ...described(description) }, (value, where) => {
      expect(values.includes(value), value, `one of ${JSON.stringify(values)}`, where);
      return value;
    });
  },

  array(item, description, keywords = {}) {
    return new Schema({ type: "array", items: item.json, ...described(description), ...keywords }, (value, where) => {
      expect(Array.isArray(value), value, "a list", where);
      return value.map((inner, at) => item.read(inner, `${where}[${at}]`));
    });
  },

  // An object with any names and values of one kind.
  record(item, description) {
    return new Schema({ type: "object", additionalProperties: item.json, ...described(description) }, (value, where) => {
      expect(isObject(value), value, "an object", where);
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, item.read(inner, `${where}.${name}`)]));
    });
  },

  // An object with exactly these properties.
  object(properties, description) {
    const names = Object.keys(properties);
    const required = names.filter((name) => !properties[name].isOptional);
    const json = {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, properties[name].json])),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
      ...described(description),
    };
    return new Schema(json, (value, where) => {
      expect(isObject(value), value, "an object", where);
      const unknown = Object.keys(value).find((name) => !Object.hasOwn(properties, name));
      if (unknown !== undefined) throw new InvalidInput(`${where} has no ${unknown}; it has ${names.join(", ") || "nothing"}`);
      const missing = required.find((name) => value[name] === undefined);
      if (missing !== undefined) throw new InvalidInput(`${where} needs ${missing}`);
      const read = {};
      for (const name of names) {
        const { fallback } = properties[name];
        if (value[name] !== undefined) read[name] = properties[name].read(value[name], `${where}.${name}`);
        else if (fallback !== undefined) read[name] = fallback;
      }
      return read;
    });
  },

  // What fits one of several schemas.
  union(schemas, description) {
    return new Schema({ anyOf: schemas.map((schema) => schema.json), ...described(description) }, (value, where) => {
      const causes = [];
      for (const schema of schemas) {
        try {
          return schema.read(value, where);
        } catch (error) {
          if (!(error instanceof InvalidInput)) throw error;
          causes.push(error.message);
        }
      }
      throw new InvalidInput(causes.join("; "));
    });
  },
};

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
