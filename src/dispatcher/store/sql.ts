/** Marks SQL, so that every statement is found by the lint that checks it for MySQL 8 and MariaDB. */
export function sql(parts: TemplateStringsArray, ...pieces: string[]): string {
  return String.raw({ raw: parts }, ...pieces);
}
