import { useState } from 'preact/hooks';
import type { Cause, NameOf, Said } from '../log/causes';
import { useWords } from '../state/context';

/** Servers of one cause that are named before the rest is asked for. */
const NAMED = 5;

interface Props {
  causes: readonly Cause[];
  nameOf: NameOf;
  goTo: (line: number) => void;
}

/** What failed, once for each cause, with the way to the lines of every server. */
export function Failures({ causes, nameOf, goTo }: Props) {
  const words = useWords().job;
  if (causes.length === 0) return null;
  // Of one cause why servers could not be reached, the job's message says more than ansible does.
  const silent = causes.filter(({ away }) => away).length === 1;
  return (
    <ul class="failures" aria-label={words.failures}>
      {causes.map((cause) => (
        <li key={`${cause.task} ${cause.failures[0]?.line}`}>
          <strong>{cause.task}</strong> <span class="hint">{words.onServers(cause.failures.length, cause.away)}</span>
          {!(cause.away && silent) && <p class="said">{cause.failures[0]?.said}</p>}
          <Servers of={cause.failures} nameOf={nameOf} goTo={goTo} />
        </li>
      ))}
    </ul>
  );
}

function Servers({ of, nameOf, goTo }: Omit<Props, 'causes'> & { of: readonly Said[] }) {
  const words = useWords().job;
  const [all, setAll] = useState(false);
  const first = of[0]?.said;
  return (
    <ul class={`links ${all ? 'all' : ''}`}>
      {of.slice(0, all ? undefined : NAMED).map(({ host, line, said }) => (
        <li key={line}>
          <button class="link" onClick={() => goTo(line)}>
            {nameOf(host)}
          </button>
          {all && said !== first && <span class="hint"> {said}</span>}
        </li>
      ))}
      {of.length > NAMED && (
        <li>
          <button aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? words.fewer : words.showAll(of.length)}
          </button>
        </li>
      )}
    </ul>
  );
}
