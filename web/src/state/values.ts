import type { RecipeFormFragment } from '../generated/operations';

export type RecipeInput = RecipeFormFragment['inputs'][number];
/** What the fields hold, as text; a field that is not touched has no entry. */
export type Values = Readonly<Record<string, string>>;
/** The field of a recipe that declares no inputs, and takes any variables. */
export const ANY = '*';

/** A field does not hold what its input takes. */
export class NotJson extends Error {}

/** The variables that the fields say; empty fields are left out. Raises NotJson with the field's name. */
export function variablesOf(inputs: readonly RecipeInput[], values: Values): Record<string, unknown> {
  if (inputs.length === 0) {
    const all = values[ANY]?.trim() ? json(ANY, values[ANY]) : {};
    if (typeof all !== 'object' || all === null || Array.isArray(all)) throw new NotJson(ANY);
    return all as Record<string, unknown>;
  }
  const given = inputs.filter(({ name }) => (values[name] ?? '') !== '');
  return Object.fromEntries(given.map((input) => [input.name, valueOf(input, values[input.name] ?? '')]));
}

function valueOf({ name, type, choices }: RecipeInput, text: string): unknown {
  if (choices !== null) return choices[Number(text)];
  if (type === 'str' || type === 'path') return text;
  return json(name, text);
}

function json(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotJson(name);
  }
}
