import type { JobFilter, JobRowFragment } from '../generated/operations';
import { STAGE } from './job-status';

/** Some jobs, newest first, as far as they fit a filter. It does not change; each change gives a new one. */
export class JobList {
  constructor(
    private readonly filter: JobFilter,
    readonly jobs: readonly JobRowFragment[] = [],
    /** Jobs older than this are not in the list yet. */
    private readonly oldest: number = Infinity,
  ) {}

  /** Jobs that a page of the list named. */
  found(jobs: readonly JobRowFragment[]): JobList {
    const oldest = Math.min(this.oldest, ...jobs.map(({ number }) => number));
    return new JobList(this.filter, this.merged(jobs), oldest);
  }

  /** A job that changed: it may come in, move on or fall out. */
  changed(job: JobRowFragment): JobList {
    const known = this.jobs.some(({ id }) => id === job.id);
    if (!known && (!this.fits(job) || (job.number < this.oldest && this.oldest !== Infinity))) return this;
    if (!this.fits(job)) {
      return new JobList(this.filter, this.jobs.filter(({ id }) => id !== job.id), this.oldest);
    }
    return new JobList(this.filter, this.merged([job]), this.oldest);
  }

  private merged(jobs: readonly JobRowFragment[]): JobRowFragment[] {
    const all = new Map(this.jobs.map((job) => [job.id, job]));
    for (const job of jobs) {
      // A page may have been read before what was told already, and come after it.
      const known = all.get(job.id);
      if (known === undefined || STAGE[job.status] >= STAGE[known.status]) all.set(job.id, job);
    }
    return [...all.values()].sort((one, other) => other.number - one.number);
  }

  private fits(job: JobRowFragment): boolean {
    const { status, recipe, serverId } = this.filter;
    return (
      (!status || status.includes(job.status)) &&
      (!recipe || recipe === job.recipeName) &&
      (!serverId || job.servers.some(({ id }) => id === serverId))
    );
  }
}
