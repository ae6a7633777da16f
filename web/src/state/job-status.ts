import type { JobStatus } from '../generated/operations';

/** How far a job is: it never goes back. */
export const STAGE: Record<JobStatus, number> = { PENDING: 0, RUNNING: 1, SUCCESS: 2, ERROR: 2, CANCELED: 2 };

/** Whether a job has ended. */
export function isFinal(status: JobStatus): boolean {
  return STAGE[status] === 2;
}
