// What both eras of the fixture offer alike: resources, prompts, completion, and the small media they are made of. The names
// and what is behind them are the suite's contract.
import { ask, until } from './asking.mjs';
import { sparesOf } from './spares.mjs';
import { INVALID_PARAMS, Refusal } from './wire.mjs';

/** A transparent pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

/** Four silent samples: the 44 octets of a WAV header (mono, 8 kHz, 8 bits), then the data. */
export const WAV = (() => {
  const samples = Buffer.alloc(4, 0x80);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(8000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]).toString('base64');
})();

export const text = (words) => ({ type: 'text', text: words });
export const image = { type: 'image', data: PNG, mimeType: 'image/png' };
export const audio = { type: 'audio', data: WAV, mimeType: 'audio/wav' };
export const embedded = (uri, mimeType, words) => ({ type: 'resource', resource: { uri, mimeType, text: words } });

const RESOURCES = [
  {
    uri: 'test://static-text',
    name: 'Static text',
    description: 'A text that never changes.',
    mimeType: 'text/plain',
    content: { text: 'This text is always the same.' },
  },
  {
    uri: 'test://static-binary',
    name: 'Static picture',
    description: 'One transparent pixel.',
    mimeType: 'image/png',
    content: { blob: PNG },
  },
  {
    uri: 'test://watched-resource',
    name: 'Watched text',
    description: 'A text that one can subscribe to.',
    mimeType: 'text/plain',
    content: { text: 'Nothing new.' },
  },
];

const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

export const listResources = () => RESOURCES.map(({ content, ...resource }) => resource);

export const listTemplates = () => [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'Data by number',
    description: 'The data of whatever number is asked for.',
    mimeType: 'application/json',
  },
];

/** The contents of a resource, or undefined where there is none. */
export function read(uri) {
  const found = RESOURCES.find((resource) => resource.uri === uri);
  if (found) return [{ uri, mimeType: found.mimeType, ...found.content }];
  const id = TEMPLATE.exec(uri)?.[1];
  if (id === undefined) return undefined;
  return [{ uri, mimeType: 'application/json', text: JSON.stringify({ id, of: 'the template' }) }];
}

const says = (...contents) => ({ messages: contents.map((content) => ({ role: 'user', content })) });
const argument = (name, description) => ({ name, description, required: true });

const PROMPTS = [
  {
    name: 'test_simple_prompt',
    description: 'One sentence.',
    get: () => says(text('Say something simple.')),
  },
  {
    name: 'test_prompt_with_arguments',
    description: 'Repeats two arguments.',
    arguments: [argument('arg1', 'The first.'), argument('arg2', 'The second.')],
    get: ({ arg1, arg2 }) => says(text(`The first is '${arg1}', the second is '${arg2}'.`)),
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'A resource and a sentence about it.',
    arguments: [argument('resourceUri', 'The address of the resource.')],
    get: ({ resourceUri }) => says(embedded(resourceUri, 'text/plain', 'What the resource holds.'), text('Read what is above.')),
  },
  {
    name: 'test_prompt_with_image',
    description: 'A picture and a sentence about it.',
    get: () => says(image, text('Look at what is above.')),
  },
  {
    name: 'test_input_required_result_prompt',
    description: 'Asks for a context before it answers.',
    eras: ['modern'],
    get: (args, call) =>
      until(call, { user_context: ask.person('In what context?', { context: { type: 'string' } }) }, ({ user_context: given }) =>
        says(text(`The context is ${given.content?.context ?? 'not told'}.`)),
      ),
  },
];

const isOf = (era) => (prompt) => !prompt.eras || prompt.eras.includes(era);

export const listPrompts = (era) => [
  ...PROMPTS.filter(isOf(era)).map(({ get, eras, ...prompt }) => prompt),
  ...sparesOf(era, 'prompts'),
];

export function getPrompt({ name, arguments: given = {} }, call) {
  const prompt = PROMPTS.filter(isOf(call.era)).find((one) => one.name === name);
  if (!prompt) throw new Refusal(INVALID_PARAMS, `There is no prompt ${name}.`);
  const missing = (prompt.arguments ?? []).find((one) => typeof given[one.name] !== 'string');
  if (missing) throw new Refusal(INVALID_PARAMS, `The prompt ${name} needs the argument ${missing.name}.`);
  return prompt.get(given, call);
}

const WORDS = ['paris', 'park', 'party'];

/** Suggestions for an argument of a prompt, or for the variable of a template. */
export function complete({ ref, argument: asked }, era) {
  const isKnown =
    (ref?.type === 'ref/prompt' && PROMPTS.filter(isOf(era)).some((prompt) => prompt.name === ref.name)) ||
    (ref?.type === 'ref/resource' && listTemplates().some((template) => template.uriTemplate === ref.uri));
  if (!isKnown || typeof asked?.value !== 'string') throw new Refusal(INVALID_PARAMS, 'There is nothing to complete.');
  const values = WORDS.filter((word) => word.startsWith(asked.value));
  return { completion: { values, total: values.length, hasMore: false } };
}
