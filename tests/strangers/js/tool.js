// A plugin as a stranger writes it in JavaScript: `compute` works, `reach` tries
// what nobody granted.

import { everything } from './reach.js';

const schema = (key, minimum, maximum) =>
  JSON.stringify({ type: 'object', properties: { [key]: { type: 'integer', minimum, maximum } }, required: [key], additionalProperties: false });

const tool = (name, description, input) => ({ name, description, input, output: null, traits: {}, annotations: null });

function compute(below) {
  const composite = new Uint8Array(below);
  let primes = 0;
  let sum = 0;
  for (let n = 2; n < below; n++) {
    if (composite[n]) continue;
    primes++;
    sum += n;
    for (let multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1;
  }
  return { primes, sum };
}

function describe() {
  return [
    tool('compute', 'Counts the primes below a number and adds them up.', schema('below', 2, 1000000)),
    tool('reach', 'Tries everything that the language offers to reach the outside.', schema('port', 1, 65535)),
  ];
}

function invoke(call) {
  const given = JSON.parse(call.input);
  const answers = { compute: () => compute(given.below), reach: () => everything(given.port) };
  if (!Object.hasOwn(answers, call.tool)) {
    throw { reason: 'not-found', message: call.tool, code: null, retryAfter: null };
  }
  return [{ tag: 'data', val: JSON.stringify(answers[call.tool]()) }];
}

export const tools = { describe, invoke };
