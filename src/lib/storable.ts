/** A text to look for in the store. None that is kept holds a NUL, and PostgreSQL refuses to look for one. */
export const storable = (text: string): string => text.replaceAll('\0', '\ufffd')
