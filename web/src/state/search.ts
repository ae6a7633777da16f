import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Follower } from '../log/follower';
import { Search } from '../log/search';
import { useDebounced } from './debounce';

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** The search for a text, which goes on as the log grows: `grown` is then to be called. */
export function useSearch(follower: Follower, text: string, grown: { current: () => void }) {
  const wanted = useDebounced(text);
  const [searching, setSearching] = useState(false);
  const search = useMemo(() => (wanted === '' ? null : new Search(follower.store, wanted)), [follower, wanted]);
  useEffect(() => {
    if (search === null) {
      grown.current = () => {};
      return undefined;
    }
    let running = false;
    const advance = async (): Promise<void> => {
      if (running) return;
      running = true;
      setSearching(true);
      await search.advance(follower.read, pause);
      running = false;
      setSearching(false);
    };
    grown.current = () => void advance();
    void advance();
    return () => search.stop();
  }, [search]);
  return { search, searching };
}
