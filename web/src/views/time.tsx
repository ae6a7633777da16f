import { useEffect, useState } from 'preact/hooks';
import { serverNow } from '../api/clock';
import { usePlaycast } from '../state/context';

/** An instant in the reader's language and time zone. */
export function Instant({ at }: { at: string }) {
  const { locale } = usePlaycast();
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return (
    <time dateTime={at} title={date.toLocaleString(locale)}>
      {today ? date.toLocaleTimeString(locale) : date.toLocaleString(locale, { dateStyle: 'short', timeStyle: 'short' })}
    </time>
  );
}

/** Seconds as 0.4 s, 12 s, 3:05 or 1:02:03. */
export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 60) return `${Math.round(value)} s`;
  const whole = Math.round(value);
  const two = (part: number): string => String(part).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** How long something took, or has taken so far. The server's clock counts: `from` is its time. */
export function Duration({ from, to, known }: { from: string | null; to: string | null; known: number | null }) {
  const running = from !== null && to === null;
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => setNow(serverNow()), 1_000);
    return () => clearInterval(timer);
  }, [running]);
  if (from === null) return null;
  const taken = running ? Math.floor(Math.max(0, now - Date.parse(from)) / 1_000) : (known ?? 0);
  return <span class="duration">{running ? `${taken < 60 ? `${taken} s` : seconds(taken)}` : seconds(taken)}</span>;
}
