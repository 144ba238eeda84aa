const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it is to be read in a page or mail, whoever wrote it. */
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (one) => ENTITIES[one]!);
