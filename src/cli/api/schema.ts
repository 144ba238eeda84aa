/** JSON Schema as far as the functions of the dispatcher use it. */
export type Schema = {
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema | boolean;
  prefixItems?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
};

/** As TypeScript writes it: `{ host: string; limit?: number }`. */
export function typeText(schema: Schema | boolean | undefined): string {
  if (schema === undefined || typeof schema === 'boolean') return 'unknown';
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return anyOf(choices.map(typeText));
  if (schema.allOf) return schema.allOf.map((one) => grouped(typeText(one))).join(' & ');
  const types = [schema.type ?? []].flat();
  if (types.length > 1) return types.map((type) => ofType(type, schema)).join(' | ');
  return types[0] === undefined ? 'unknown' : ofType(types[0], schema);
}

/** Beside any string a certain one says nothing. */
function anyOf(texts: string[]): string {
  const telling = texts.includes('string') ? texts.filter((one) => !one.startsWith('"')) : texts;
  return [...new Set(telling)].join(' | ');
}

function ofType(type: string, schema: Schema): string {
  if (type === 'integer') return 'number';
  if (type === 'array') return `${grouped(typeText(schema.items))}[]`;
  return type === 'object' ? objectText(schema) : type;
}

function objectText({ properties, required = [], additionalProperties }: Schema): string {
  if (!properties) return `Record<string, ${typeText(additionalProperties)}>`;
  const fields = Object.entries(properties).map(([name, one]) => {
    return `${fieldName(name)}${required.includes(name) ? '' : '?'}: ${typeText(one)}`;
  });
  return fields.length === 0 ? 'Record<string, never>' : `{ ${fields.join('; ')} }`;
}

const fieldName = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
const grouped = (text: string) => (/ [|&] /.test(text) && !text.startsWith('{') ? `(${text})` : text);

export type Argument = { name: string; type: string; required: boolean; default: string; help: string };

/** The arguments of a function, the required ones first. */
export function argumentsOf({ properties = {}, required = [] }: Schema): Argument[] {
  const all = Object.entries(properties).map(([name, schema]) => ({
    name,
    type: typeText(schema),
    required: required.includes(name),
    default: schema.default === undefined ? '' : JSON.stringify(schema.default),
    help: schema.description ?? '',
  }));
  return all.sort((a, b) => Number(b.required) - Number(a.required));
}
