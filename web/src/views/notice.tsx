import type { ComponentChildren } from 'preact';
import type { QueryResult } from '../state/queries';
import { useWords } from '../state/context';

/** Something went wrong, and is said at once. */
export function Trouble({ children }: { children: ComponentChildren }) {
  return (
    <div class="trouble" role="alert">
      {children}
    </div>
  );
}

/** Why a mutation was refused. */
export function Refusals({ of }: { of: readonly string[] }) {
  return of.length === 0 ? null : (
    <Trouble>
      {of.map((one) => (
        <p>{one}</p>
      ))}
    </Trouble>
  );
}

/** What stands in the place of an answer that is not there. */
export function Pending({ of }: { of: QueryResult<unknown> }) {
  const words = useWords().common;
  if (of.trouble === null) {
    return of.data === null ? (
      <p class="hint" aria-busy="true">
        {words.loading}
      </p>
    ) : null;
  }
  return (
    <Trouble>
      <p>
        {words.trouble} {of.trouble}
      </p>
      <button onClick={of.again}>{words.retry}</button>
    </Trouble>
  );
}
