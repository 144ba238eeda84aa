/**
 * What the environment says to the library's users, whose scripts have no configuration of their own. Apart from
 * config.ts, whose schemas would double the time that such a script takes to start.
 */
export const databaseSettings = () => ({
  url: process.env.MEGA_MYSQL,
  optionFile: process.env.MEGA_MYSQL_FILE,
});

export const mailSettings = () => ({ url: process.env.MEGA_SMTP, from: process.env.MEGA_MAIL_FROM });

export const logSettings = () => ({ file: process.env.MEGA_LOG_FILE, level: process.env.MEGA_LOG_LEVEL });

/** Who calls the dispatcher: an operator, by a file or a URL of the broker, or the host whose home this is. */
export const callerSettings = () => ({
  config: process.env.MEGA_CONFIG,
  broker: process.env.MEGA_BROKER,
  home: process.env.MEGA_HOME,
});
