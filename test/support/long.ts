/** Whether all is asked for: `npm test` alone leaves out what another test beside it shows nearly as well. */
export const isLong = Boolean(process.env.MEGA_TEST_LONG);

export const onlyLong = { skip: !isLong && 'in the long form: MEGA_TEST_LONG=1' };
