// Asking in the stateless era: a result that says what is still needed, and the state that comes back with the answer. The
// state carries a signature, because whoever calls can write anything into it.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import { INVALID_PARAMS, MISSING_CAPABILITY, Refusal } from './wire.mjs';

/** The three requests a server may make. */
export const ask = {
  person: (message, properties) => ({
    method: 'elicitation/create',
    params: { mode: 'form', message, requestedSchema: { type: 'object', properties, required: Object.keys(properties) } },
  }),
  model: (question) => ({
    method: 'sampling/createMessage',
    params: { messages: [{ role: 'user', content: { type: 'text', text: question } }], maxTokens: 100 },
  }),
  roots: () => ({ method: 'roots/list' }),
};

const CAPABILITY = { 'elicitation/create': 'elicitation', 'sampling/createMessage': 'sampling', 'roots/list': 'roots' };

/** Whether the client said with this request that it can answer. An elicitation of ours is a form, which `{}` stands for too. */
export function canAnswer(capabilities, { method }) {
  const declared = capabilities?.[CAPABILITY[method]];
  if (method !== 'elicitation/create' || declared === undefined) return declared !== undefined;
  return declared.form !== undefined || declared.url === undefined;
}

const missing = (capability) =>
  new Refusal(MISSING_CAPABILITY, `This needs a client with ${capability}.`, {
    data: { requiredCapabilities: { [capability]: {} } },
    status: 400,
  });

/** Refuses the call of a client that did not declare what the answer needs. */
export function demand(call, capability) {
  if (call.capabilities[capability] === undefined) throw missing(capability);
}

/** What is still needed. */
export const needs = (inputRequests, requestState) => ({
  resultType: 'input_required',
  inputRequests,
  ...(requestState === undefined ? {} : { requestState }),
});

/** Asks until every request has its answer; then it is up to `done(answers)`. */
export function until(call, requests, done, state) {
  for (const request of Object.values(requests)) {
    if (!canAnswer(call.capabilities, request)) throw missing(CAPABILITY[request.method]);
  }
  if (!areAnswered(call, requests)) return needs(requests, state);
  return done(call.inputs);
}

/** Whether each request has an answer. An answer of the wrong form is an error, not a missing one. */
export function areAnswered(call, requests) {
  return Object.entries(requests).every(([key, request]) => {
    const answer = call.inputs[key];
    if (answer === undefined) return false;
    if (!hasForm(request, answer)) throw new Refusal(INVALID_PARAMS, `inputResponses.${key} is no answer to ${request.method}.`);
    return true;
  });
}

function hasForm({ method, params }, answer) {
  if (method === 'roots/list') return Array.isArray(answer.roots);
  if (method === 'sampling/createMessage') return typeof answer.role === 'string' && answer.content !== undefined;
  if (['decline', 'cancel'].includes(answer.action)) return true;
  const fields = Object.entries(params.requestedSchema.properties);
  return answer.action === 'accept' && fields.every(([name, { type }]) => typeof answer.content?.[name] === type);
}

/** The answers of a request: an object of objects. Keys that nobody asked for are let be. */
export function inputsOf({ inputResponses }) {
  if (inputResponses === undefined) return {};
  const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(inputResponses) || !Object.values(inputResponses).every(isObject)) {
    throw new Refusal(INVALID_PARAMS, 'inputResponses is an object of result objects.');
  }
  return inputResponses;
}

const KEY = randomBytes(32);
const sign = (body) => createHmac('sha256', KEY).update(body).digest();

/** State to hand out: what the tool `of` wants to find again. */
export function seal(of, value) {
  const body = Buffer.from(JSON.stringify({ of, value }));
  return `${body.toString('base64url')}.${sign(body).toString('base64url')}`;
}

/** What `seal` was given, or undefined where there is no state. Anything that was not handed out to this tool is refused. */
export function open(of, state) {
  if (state === undefined) return undefined;
  const [body, signature] = String(state)
    .split('.')
    .map((part) => Buffer.from(part, 'base64url'));
  // Compared as text as well, since decoding forgives what was added.
  const isOurs = signature?.length === 32 && timingSafeEqual(sign(body), signature);
  const sealed = isOurs ? JSON.parse(body) : {};
  if (sealed.of !== of || state !== seal(of, sealed.value)) throw new Refusal(INVALID_PARAMS, 'requestState is not what was handed out.');
  return sealed.value;
}
