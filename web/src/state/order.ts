import { RunDocument } from '../generated/operations';
import { useMutation } from './queries';
import { useKept } from './kept';
import { idempotencyKey } from './idempotency-key';
import { type RecipeInput, type Values, variablesOf } from './values';

/** What is to be run, and where, as far as it has been chosen. */
export interface Order {
  picked: ReadonlySet<string>;
  recipe: string | null;
  values: Values;
  check: boolean;
  diff: boolean;
}

const NOTHING: Order = { picked: new Set(), recipe: null, values: {}, check: false, diff: false };

/** The order that the reader is writing. It stays when the reader leaves. */
export function useOrder(): [Order, (change: Partial<Order>) => void] {
  return useKept('order', NOTHING);
}

interface Recipe {
  name: string;
  inputs: readonly RecipeInput[];
}

/** Sends an order; one that is sent again before an answer has come is still one job. */
export function useSend(order: Order, change: (change: Partial<Order>) => void) {
  const [once, keep] = useKept('once', { what: '', key: '' });
  const doing = useMutation(RunDocument);
  /** The number of the new job; null if it was refused. Raises NotJson. */
  const send = async (recipe: Recipe): Promise<number | null> => {
    const given = variablesOf(recipe.inputs, order.values);
    const extraVars = Object.keys(given).length > 0 ? given : null;
    const input = { recipe: recipe.name, serverIds: [...order.picked], extraVars, check: order.check, diff: order.diff };
    const mine = idempotencyKey(once, input);
    keep(mine);
    const job = (await doing.go({ input: { ...input, idempotencyKey: mine.key } }))?.runProvision.job;
    if (!job) return null;
    keep({ what: '', key: '' });
    // Secrets are not kept for longer than they are needed.
    const secret = new Set(recipe.inputs.filter((one) => one.secret).map(({ name }) => name));
    change({ values: Object.fromEntries(Object.entries(order.values).filter(([name]) => !secret.has(name))) });
    return job.number;
  };
  return { send, ...doing };
}
