import { z } from 'zod';
import { limits } from '../../lib/limits.ts';
import { approveJob, cancelJob, pauseJob, resumeJob, retryJob } from '../jobs/controls.ts';
import { fn, OPERATOR } from './function.ts';
import { jobId } from './job-told.ts';

/** `changed`: whether this call did it; asked again, it changes nothing. */
const answer = z.object({ job: z.string(), state: z.string(), changed: z.boolean() });
const reason = z.string().min(1).max(500);

export const jobControlFunctions = [
  fn({
    name: 'pause_job',
    help: 'Nothing of the job starts any more, until it is resumed; what is under way goes on.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id: jobId, reason: reason.optional() }),
    output: answer,
    handler: async (room, input, caller) => {
      const why = input.reason === undefined ? '' : `: ${input.reason}`;
      return { job: input.id, ...(await pauseJob(room, input.id, `paused by ${caller.id}${why}`)) };
    },
  }),
  fn({
    name: 'resume_job',
    help: 'A paused job goes on. Its errors so far are forgiven; "maxErrors" changes how many more it bears.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id: jobId, maxErrors: limits.shape.maxErrors }),
    output: answer,
    handler: async (room, { id, maxErrors }) => {
      return { job: id, ...(await resumeJob(room, id, maxErrors)) };
    },
  }),
  fn({
    name: 'approve_job',
    help: 'Lets a job go on to its next wave. "wave" names it, so that asking twice approves no other one.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id: jobId, wave: z.int().min(2).max(1_000_000).optional() }),
    output: answer,
    handler: async (room, { id, wave }) => ({ job: id, ...(await approveJob(room, id, wave)) }),
  }),
  fn({
    name: 'cancel_job',
    help: 'Ends what has not begun, and asks the hosts to stop what has, which may be past the point of no return.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id: jobId }),
    output: answer,
    handler: async (room, { id }) => ({ job: id, ...(await cancelJob(room, id)) }),
  }),
  fn({
    name: 'retry_job',
    help: 'Tries the tasks of a job again that failed, within its limits; one that has ended is open again.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id: jobId, failed: z.literal(true) }),
    output: answer.extend({ tasks: z.number() }),
    handler: async (room, { id }) => {
      const outcome = await retryJob(room, id);
      room.kick();
      return { job: id, ...outcome };
    },
  }),
];
