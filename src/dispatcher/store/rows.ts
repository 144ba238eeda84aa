/** MySQL's driver gives a JSON column as a value, MariaDB's (where JSON is text) as a string. */
export function parsed<T>(column: unknown): T {
  return (typeof column === 'string' ? JSON.parse(column) : column) as T;
}
