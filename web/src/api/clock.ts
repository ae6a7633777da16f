/** How far the clock of the server is ahead of the browser's, in milliseconds; 0 as long as both may be right. */
let ahead = 0;

/**
 * Learn from one answer. The header `Date` counts whole seconds, and the server wrote it between `asked` and now,
 * so the difference lies between two bounds. Only what lies outside is corrected, so good clocks stay as they are.
 */
export function learnClock(date: string | null, asked: number): void {
  const server = Date.parse(date ?? '');
  if (Number.isNaN(server)) return;
  const least = server - Date.now();
  const most = server + 1_000 - asked;
  // A browser whose clock was set while it waited knows nothing.
  if (least <= most) ahead = Math.min(Math.max(ahead, least), most);
}

/** Milliseconds since 1970 on the server's clock. */
export function serverNow(): number {
  return Date.now() + ahead;
}
