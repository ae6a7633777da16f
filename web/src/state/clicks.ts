import { useEffect, useState } from 'preact/hooks';

/** Longer than people take between the two clicks of a double click. */
const DOUBLE_MS = 700;

/** Whether a button that acts has been there for as long as a double click lasts, whose second click may land on it. */
export function useArmed(): boolean {
  const [armed, setArmed] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setArmed(true), DOUBLE_MS);
    return () => clearTimeout(timer);
  }, []);
  return armed;
}

/** Takes all but the first of several quick clicks away from a button, and from the form that it would send. */
export function firstOnly(event: MouseEvent): void {
  if (event.detail > 1) event.preventDefault();
}
