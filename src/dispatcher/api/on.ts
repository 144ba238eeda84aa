import { z } from 'zod';

/** Targets, as targets/term.ts reads them. */
export const on = z.array(z.string().min(1).max(200)).min(1).max(10_000);
