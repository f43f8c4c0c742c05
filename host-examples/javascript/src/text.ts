// Text for terminals: nothing from an image, registry or file reaches one unescaped.

/** The text with control, bidirectional and other invisible characters written as `\u{…}`. */
export function escape(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`);
}
