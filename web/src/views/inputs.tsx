import { useWords } from '../state/playcast';
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
        <label>
          <span>
            {input.name} <span class="hint">{[input.required && words.required, input.description].filter(Boolean).join('. ')}</span>
          </span>
          <Field input={input} text={values[input.name] ?? ''} set={(text) => set(input.name, text)} />
        </label>
      ))}
    </fieldset>
  );
}

function Field({ input, text, set }: { input: RecipeInput; text: string; set: (text: string) => void }) {
  const choices = input.choices ?? (input.type === 'bool' ? [true, false] : null);
  const standard = input.default === null ? '' : asText(input.default);
  if (choices !== null) {
    return (
      <select value={text} required={input.required} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">{standard === '' ? '' : `(${standard})`}</option>
        {choices.map((choice, index) => (
          <option value={input.choices === null ? String(choice) : String(index)}>{asText(choice)}</option>
        ))}
      </select>
    );
  }
  const common = {
    autocomplete: 'off' as const,
    placeholder: standard,
    required: input.required,
    value: text,
    onInput: (event: { currentTarget: HTMLInputElement }) => set(event.currentTarget.value),
  };
  return input.secret ? <input type="password" {...common} /> : <input type="text" {...common} />;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
