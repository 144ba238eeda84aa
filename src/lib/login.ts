/** SASL PLAIN, as amqplib makes it of a URL, but with the password of the moment. */
export const plainLogin = (url: URL, password: () => string) => ({
  mechanism: 'PLAIN',
  response: () => Buffer.from(['', decodeURIComponent(url.username), password()].join('\0')),
});
