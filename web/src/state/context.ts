import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Socket } from '../api/socket';
import type { Language } from '../words/language';
import type { Words } from '../words/en';

/** What every view may need. */
export interface Playcast {
  socket: Socket;
  words: Words;
  language: Language;
  /** The same, with the region that the browser names. */
  locale: string;
  /** The server has asked for its token. */
  lock: () => void;
  /** What outlives the views, by names. */
  kept: Map<string, unknown>;
}

export const Context = createContext<Playcast | null>(null);

export function usePlaycast(): Playcast {
  const playcast = useContext(Context);
  if (playcast === null) throw new Error('outside of the page');
  return playcast;
}

export function useWords(): Words {
  return usePlaycast().words;
}
