import { useWords } from '../state/context';
import { ANY, type RecipeInput, type Values } from '../state/values';

interface Props {
  of: readonly RecipeInput[];
  values: Values;
  change: (values: Values) => void;
}

/** A field for each input of a recipe; one for any variables if it declares none. */
export function Inputs({ of, values, change }: Props) {
  const words = useWords().servers;
  const set = (name: string, text: string): void => change({ ...values, [name]: text });
  if (of.length === 0) {
    return (
      <label>
        {words.variables}
        <textarea rows={2} spellcheck={false} placeholder="{}" value={values[ANY] ?? ''} onInput={(event) => set(ANY, event.currentTarget.value)} />
      </label>
    );
  }
  return (
    <fieldset>
      <legend>{words.inputs}</legend>
      {of.map((input) => (
        <div class="field">
          <span>
            <label class="inline" for={`input-${input.name}`}>
              {input.name}
            </label>{' '}
            <span class="hint" id={`hint-${input.name}`}>
              {[input.required && words.required, input.description].filter(Boolean).join('. ')}
            </span>
          </span>
          <Field input={input} text={values[input.name] ?? ''} set={(text) => set(input.name, text)} />
        </div>
      ))}
    </fieldset>
  );
}

function Field({ input, text, set }: { input: RecipeInput; text: string; set: (text: string) => void }) {
  const choices = input.choices ?? (input.type === 'bool' ? [true, false] : null);
  const standard = input.default === null ? '' : asText(input.default);
  const named = { id: `input-${input.name}`, 'aria-describedby': `hint-${input.name}`, required: input.required, value: text };
  if (choices !== null) {
    return (
      <select {...named} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">{standard === '' ? '' : `(${standard})`}</option>
        {choices.map((choice, index) => (
          <option value={input.choices === null ? String(choice) : String(index)}>{asText(choice)}</option>
        ))}
      </select>
    );
  }
  const common = {
    ...named,
    autocomplete: 'off' as const,
    placeholder: standard,
    onInput: (event: { currentTarget: HTMLInputElement }) => set(event.currentTarget.value),
  };
  return input.secret ? <input type="password" {...common} /> : <input type="text" {...common} />;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
