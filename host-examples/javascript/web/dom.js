// Elements of the page. Data becomes text nodes only, never markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
export function made(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/**
 * The same for pictures.
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
export function drawn(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {string} text
 * @param {() => void} clicked
 * @param {Record<string, string>} attributes
 */
export function button(text, clicked, attributes = {}) {
  const element = made('button', { type: 'button', ...attributes }, text);
  element.addEventListener('click', clicked);
  return element;
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
function filled(element, attributes, children) {
  for (const [key, text] of Object.entries(attributes)) element.setAttribute(key, String(text));
  element.append(...children);
  return element;
}
