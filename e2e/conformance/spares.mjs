// What of the fixture's lists is there to change. A gateway that pins what was approved takes what has changed off its list, and
// tells that; what is taken off cannot change again, so that there are several, which take turns.

const MANY = 4;
const KINDS = { tools: 'tool', prompts: 'prompt' };
const turns = {};

const turnsOf = (era, kind) => turns[`${era} ${kind}`] ?? 0;

/** Changes the next one of its kind. */
export function change(era, kind) {
  turns[`${era} ${kind}`] = turnsOf(era, kind) + 1;
}

/** Those of a kind, as an era has them by now: { name, description }. */
export const sparesOf = (era, kind) =>
  Array.from({ length: MANY }, (_, n) => {
    const times = Math.floor((turnsOf(era, kind) + MANY - 1 - n) / MANY);
    return { name: `test_spare_${KINDS[kind]}_${n}`, description: `Is there to change, and has ${times} times.` };
  });
