// The tools of the suite's contract. A tool runs as `run(arguments, call)`; what a call can do besides answering (report
// progress, log, ask) is told where the eras make it: modern.mjs and legacy.mjs.
import { setTimeout as sleep } from 'node:timers/promises';

import { areAnswered, ask, canAnswer, demand, needs, open, seal, until } from './asking.mjs';
import { audio, embedded, image, text } from './contents.mjs';
import { change, sparesOf } from './spares.mjs';
import { INVALID_PARAMS, Refusal } from './wire.mjs';

const LEGACY = ['legacy'];
const MODERN = ['modern'];
const string = (description) => ({ type: 'string', description });

/** A tool; `properties` are its arguments, all of them required. */
function tool(name, description, run, { properties = {}, eras = [...LEGACY, ...MODERN], inputSchema } = {}) {
  const required = Object.keys(properties);
  const made = { type: 'object', properties, ...(required.length > 0 ? { required } : {}) };
  return { name, description, eras, run, inputSchema: inputSchema ?? made };
}

const says = (words) => ({ content: [text(words)] });
const fails = (words) => ({ content: [text(words)], isError: true });

const PLAIN = [
  tool('test_simple_text', 'Answers with a text.', () => says('A simple text.')),
  tool('test_image_content', 'Answers with a picture.', () => ({ content: [image] })),
  tool('test_audio_content', 'Answers with a sound.', () => ({ content: [audio] })),
  tool('test_embedded_resource', 'Answers with a resource.', () => ({
    content: [embedded('test://embedded-resource', 'text/plain', 'What the embedded resource holds.')],
  })),
  tool('test_multiple_content_types', 'Answers with a text, a picture and a resource.', () => ({
    content: [text('Three kinds of content:'), image, embedded('test://mixed-content-resource', 'application/json', '{"kinds":3}')],
  })),
  tool('test_error_handling', 'Always fails.', () => fails('This tool fails whatever one does.')),
  tool('test_tool_with_progress', 'Reports its progress.', async (args, call) => {
    for (const done of [0, 50, 100]) {
      call.progress(done, 100);
      await sleep(60);
    }
    return says('All steps are done.');
  }),
  tool('test_tool_with_logging', 'Says what it does while it does it.', async (args, call) => {
    for (const line of ['started', 'half way', 'about to end']) {
      call.log('info', line);
      await sleep(60);
    }
    return says('Three lines were logged.');
  }),
  // Listed for its schema alone, which must come through with every keyword.
  tool('json_schema_2020_12_tool', 'Has a schema with most of what JSON Schema 2020-12 knows.', () => says('Fine.'), {
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { $anchor: 'address', type: 'object', properties: { town: { type: 'string' } } } },
      properties: {
        kind: { enum: ['letter', 'parcel'] },
        to: { $ref: '#/$defs/address' },
        pages: { type: 'integer' },
        grams: { type: 'integer' },
      },
      allOf: [{ anyOf: [{ required: ['pages'] }, { required: ['grams'] }] }],
      if: { properties: { kind: { const: 'letter' } }, required: ['kind'] },
      then: { required: ['pages'] },
      else: { required: ['grams'] },
      additionalProperties: false,
    },
  }),
  tool('test_trigger_tool_change', 'Changes one of the tools, and tells listeners that their list has.', (args, call) => changed(call, 'tools')),
  tool('test_trigger_prompt_change', 'Changes one of the prompts, and tells listeners that their list has.', (args, call) => changed(call, 'prompts')),
  // Ours, not the suite's: without it nobody would ever be told of the resource that can be watched.
  tool('test_trigger_resource_update', 'Tells subscribers that the watched resource changed.', (args, call) => {
    call.updated('test://watched-resource');
    return says('Subscribers were told.');
  }),
];

// The suite looks at the message only; a gateway that pins what was approved looks at what has changed.
function changed(call, kind) {
  change(call.era, kind);
  call.changed(kind);
  return says(`One of the ${kind} is another, and those who listen were told.`);
}

/** The `initialize` era: the server asks with requests of its own while the call is open. */
const ASKING_LEGACY = [
  tool(
    'test_sampling',
    'Puts a prompt to the model of the client.',
    async ({ prompt }, call) => {
      const request = ask.model(prompt);
      if (!canAnswer(call.capabilities, request)) return fails('The client has no model to ask.');
      const { content } = await call.ask(request);
      return says(`The model said: ${[content].flat().map((block) => block.text).join(' ')}`);
    },
    { properties: { prompt: string('What to ask.') }, eras: LEGACY },
  ),
  tool(
    'test_elicitation',
    'Asks the person who uses the client.',
    ({ message }, call) => elicit(call, message, { username: string('The name.'), email: string('The address.') }, ['username', 'email']),
    { properties: { message: string('What to say.') }, eras: LEGACY },
  ),
  tool(
    'test_elicitation_sep1034_defaults',
    'Asks with a form whose fields have defaults.',
    (args, call) =>
      elicit(call, 'Please look over what is filled in.', {
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      }),
    { eras: LEGACY },
  ),
  tool(
    'test_elicitation_sep1330_enums',
    'Asks with a form that has every way to write a choice.',
    (args, call) => {
      const values = ['option1', 'option2', 'option3'];
      const titled = values.map((value, n) => ({ const: value, title: `Choice ${n + 1}` }));
      return elicit(call, 'Please choose.', {
        untitledSingle: { type: 'string', enum: values },
        titledSingle: { type: 'string', oneOf: titled },
        legacyEnum: { type: 'string', enum: values, enumNames: titled.map(({ title }) => title) },
        untitledMulti: { type: 'array', items: { type: 'string', enum: values } },
        titledMulti: { type: 'array', items: { anyOf: titled } },
      });
    },
    { eras: LEGACY },
  ),
  tool(
    'test_reconnection',
    'Ends its stream before it answers; one comes back for the answer.',
    async (args, call) => {
      call.pause(100);
      await sleep(150);
      return says('You came back.');
    },
    { eras: LEGACY },
  ),
];

async function elicit(call, message, properties, required = []) {
  const request = { method: 'elicitation/create', params: { message, requestedSchema: { type: 'object', properties, required } } };
  if (!canAnswer(call.capabilities, request)) return fails('The client has nobody to ask.');
  const { action, content } = await call.ask(request);
  return says(`The person chose ${action}: ${JSON.stringify(content ?? {})}`);
}

const NAME = { user_name: ask.person('What is your name?', { name: { type: 'string' } }) };
const CONFIRMATION = { confirm: ask.person('Is that right?', { ok: { type: 'boolean' } }) };
const EVERYTHING = { ...NAME, greeting: ask.model('How does one greet?'), client_roots: ask.roots() };
const STEPS = [
  { step1: ask.person('First: what is your name?', { name: { type: 'string' } }) },
  { step2: ask.person('Second: which colour do you like?', { color: { type: 'string' } }) },
];

/** Completes only for a state that this tool handed out. */
const confirms = (name) => (args, call) => {
  const state = open(name, call.state);
  const isBack = state !== undefined && areAnswered(call, CONFIRMATION);
  if (isBack) return says('state-ok');
  return until({ ...call, inputs: {} }, CONFIRMATION, undefined, seal(name, 'confirming'));
};

/** The stateless era: the result says what is needed, and the call is made again with it. */
const ASKING_MODERN = [
  [
    'elicitation',
    'Asks for a name.',
    (args, call) => until(call, NAME, ({ user_name: { content } }) => says(`Hello, ${content?.name ?? 'you'}!`)),
  ],
  [
    'sampling',
    'Asks the model of the client.',
    (args, call) =>
      until(call, { capital_question: ask.model('What is the capital of France?') }, ({ capital_question: { content } }) =>
        says(`The model said: ${[content].flat().map((block) => block.text).join(' ')}`),
      ),
  ],
  [
    'list_roots',
    'Asks for the roots of the client.',
    (args, call) =>
      until(call, { client_roots: ask.roots() }, ({ client_roots: { roots } }) =>
        says(`The roots are ${roots.map((root) => root.uri).join(', ')}.`),
      ),
  ],
  ['request_state', 'Hands out a state and wants it back.', confirms('request_state')],
  ['tampered_state', 'Refuses a state that it did not hand out.', confirms('tampered_state')],
  [
    'multiple_inputs',
    'Asks three things at once.',
    (args, call) => {
      open('multiple_inputs', call.state);
      return until(call, EVERYTHING, () => says('All three were answered.'), seal('multiple_inputs', 'asked'));
    },
  ],
  [
    'multi_round',
    'Asks twice, one after the other.',
    (args, call) => {
      // The state says which step was asked last; without one, none was.
      const asked = open('multi_round', call.state);
      const isAnswered = asked !== undefined && areAnswered(call, STEPS[asked]);
      const next = asked === undefined ? 0 : asked + (isAnswered ? 1 : 0);
      if (next === STEPS.length) return says('Both steps are done.');
      return until({ ...call, inputs: {} }, STEPS[next], undefined, seal('multi_round', next));
    },
  ],
  [
    'capabilities',
    'Asks only for what the client can answer.',
    (args, call) => {
      const requests = Object.fromEntries(Object.entries(EVERYTHING).filter(([, request]) => canAnswer(call.capabilities, request)));
      const isNothing = Object.keys(requests).length === 0;
      if (isNothing || areAnswered(call, requests)) return says(`Answered: ${Object.keys(requests).join(', ') || 'nothing'}.`);
      return needs(requests);
    },
  ],
].map(([name, description, run]) => tool(`test_input_required_result_${name}`, description, run, { eras: MODERN }));

const MODERN_ONLY = [
  tool(
    'test_missing_capability',
    'Works only for clients that have a model.',
    (args, call) => {
      demand(call, 'sampling');
      return says('The client has a model.');
    },
    { eras: MODERN },
  ),
  tool(
    'test_streaming_elicitation',
    'Asks for a name at the end of an event stream.',
    (args, call) => {
      demand(call, 'elicitation');
      call.stream();
      return until(call, NAME, () => says('Asked and answered.'));
    },
    { eras: MODERN },
  ),
  tool(
    'test_logging_tool',
    'Logs one line if the request wants to hear it.',
    (args, call) => {
      call.log('info', 'a line');
      return says('Logged, if that was wanted.');
    },
    { eras: MODERN },
  ),
  tool('test_custom_header', 'Has an argument that travels in a header too.', ({ region }) => says(`The region is ${region}.`), {
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
    eras: MODERN,
  }),
];

const TOOLS = [...PLAIN, ...ASKING_LEGACY, ...MODERN_ONLY, ...ASKING_MODERN];

export const listTools = (era) => [
  ...TOOLS.filter((one) => one.eras.includes(era)).map(({ run, eras, ...definition }) => definition),
  ...sparesOf(era, 'tools').map((spare) => ({ ...spare, inputSchema: { type: 'object', properties: {} } })),
];

/** The tool, or the error that there is none. */
export function toolOf(era, name) {
  const found = TOOLS.find((one) => one.name === name && one.eras.includes(era));
  if (!found) throw new Refusal(INVALID_PARAMS, `There is no tool ${name}.`);
  return found;
}

/** Runs a tool. Arguments that are missing are for the model to mend: a tool's error, not the protocol's. */
export async function runTool({ name, arguments: given = {} }, call) {
  const { run, inputSchema } = toolOf(call.era, name);
  const missing = (inputSchema.required ?? []).filter((one) => typeof given[one] !== inputSchema.properties[one].type);
  if (missing.length > 0) return fails(`Missing, or of the wrong type: ${missing.join(', ')}.`);
  return run(given, call);
}
