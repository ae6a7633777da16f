import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type RecipeFormFragment, RecipesDocument } from '../generated/operations';
import { useQuery } from '../state/queries';
import { firstOnly, useArmed } from '../state/clicks';
import { type Order, useSend } from '../state/order';
import { useWords } from '../state/context';
import { href } from '../state/route';
import { NotJson } from '../state/values';
import { Inputs } from './inputs';
import { Pending, Refusals, Trouble } from './notice';
import { DryRun } from './status';

/** Where the form begins. */
export const FORM = '#recipe';

interface Props {
  order: Order;
  change: (change: Partial<Order>) => void;
  /** The recipe that a link has chosen. */
  preset: string | null;
  /** The servers in the list. */
  shown: readonly { id: string }[];
  children: ComponentChildren;
}

/** Choose a recipe and start it on the picked servers. The bar with the button stays in sight, however long the list. */
export function Configure({ order, change, preset, shown, children }: Props) {
  const words = useWords().servers;
  const asked = useQuery(RecipesDocument, {});
  const { send, busy, refusals } = useSend(order, change);
  const [problem, setProblem] = useState<string | null>(null);
  const recipes = asked.data?.recipes ?? [];
  const recipe = order.recipe === null ? recipes[0] : recipes.find((one) => one.name === order.recipe);
  usePreset(preset, recipes.length > 0, order, change);

  const go = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setProblem(null);
    try {
      const job = recipe && order.picked.size > 0 ? await send(recipe) : null;
      if (job !== null) location.hash = href.job(job);
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      setProblem(`${error.message}: ${words.notJson}`);
    }
  };
  return (
    <>
      <Pending of={asked} />
      {asked.data && recipes.length === 0 && <p class="hint">{words.noRecipes}</p>}
      {recipes.length > 0 && <Form order={order} change={change} recipes={recipes} recipe={recipe} go={go} />}
      <div class="sticky">
        <div class="bar">
          {children}
          <Picked picked={order.picked} shown={shown} clear={() => change({ picked: new Set() })} />
          <Go order={order} recipe={recipe} busy={busy} />
        </div>
        {problem !== null ? <Trouble>{problem}</Trouble> : <Refusals of={refusals} />}
      </div>
    </>
  );
}

/** What the button will start, and the button. */
function Go({ order, recipe, busy }: { order: Order; recipe: RecipeFormFragment | undefined; busy: boolean }) {
  const words = useWords().servers;
  const armed = useArmed();
  return (
    <span class="order">
      {recipe?.name} <DryRun of={order.check} />
      <button class="main" form="configure" disabled={!recipe || !armed || busy || order.picked.size === 0} onClick={firstOnly}>
        {words.go(order.picked.size)}
      </button>
    </span>
  );
}

/** The recipe of a link is chosen and has the focus, once it can have it. */
function usePreset(preset: string | null, ready: boolean, order: Order, change: (change: Partial<Order>) => void): void {
  useEffect(() => {
    // Who comes back finds what was chosen and typed since.
    const applied = (history.state as { applied?: boolean } | null)?.applied && order.recipe !== null;
    if (preset === null || applied) return;
    history.replaceState({ applied: true }, '');
    change(order.recipe === preset ? {} : { recipe: preset, values: {} });
  }, [preset]);
  useEffect(() => {
    if (preset !== null && ready) document.querySelector<HTMLElement>(FORM)?.focus();
  }, [preset, ready]);
}

interface FormProps extends Pick<Props, 'order' | 'change'> {
  recipes: readonly RecipeFormFragment[];
  /** Undefined if the chosen one has left the list. */
  recipe: RecipeFormFragment | undefined;
  go: (event: SubmitEvent) => Promise<void>;
}

function Form({ order, change, recipes, recipe, go }: FormProps) {
  const words = useWords().servers;
  return (
    <form class="card" id="configure" onSubmit={(event) => void go(event)}>
      <div class="bar">
        <span>
          <label class="inline" for="recipe">
            {words.recipe}
          </label>{' '}
          <select id="recipe" value={recipe?.name ?? ''} onChange={(event) => change({ recipe: event.currentTarget.value, values: {} })}>
            {recipe === undefined && <option value="" />}
            {recipes.map((one) => (
              <option>{one.name}</option>
            ))}
          </select>
        </span>
        <label class="inline">
          <input type="checkbox" checked={order.check} onChange={() => change({ check: !order.check })} /> {words.check}
        </label>
        <label class="inline">
          <input type="checkbox" checked={order.diff} onChange={() => change({ diff: !order.diff })} /> {words.diff}
        </label>
      </div>
      {recipe === undefined && <p class="hint">{words.gone(order.recipe ?? '')}</p>}
      {recipe?.description && <p class="hint">{recipe.description}</p>}
      {recipe && <Inputs of={recipe.inputs} values={order.values} change={(values) => change({ values })} />}
    </form>
  );
}

/** How many servers are picked, and how many of them the list does not show. */
function Picked({ picked, shown, clear }: { picked: ReadonlySet<string>; shown: Props['shown']; clear: () => void }) {
  const words = useWords().servers;
  if (picked.size === 0) return <span class="hint">{words.pick}</span>;
  const hidden = picked.size - shown.filter(({ id }) => picked.has(id)).length;
  return (
    <span>
      {words.picked(picked.size)} <button onClick={clear}>{words.clear}</button>
      {hidden > 0 && <span class="hint"> {words.hidden(hidden)}</span>}
    </span>
  );
}
