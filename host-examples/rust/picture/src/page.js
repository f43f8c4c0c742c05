const frame = document.querySelector('.picture');
const svg = frame.querySelector('svg');
const [width, height] = [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height];
const boxes = [...svg.querySelectorAll('.box')];
const field = document.getElementById('find');
const status = document.getElementById('found');
let scale = 1;
let found = [];
let at = 0;

function zoom(to) {
  const x = (frame.scrollLeft + frame.clientWidth / 2) / scale;
  const y = (frame.scrollTop + frame.clientHeight / 2) / scale;
  scale = Math.min(4, Math.max(0.02, to));
  svg.setAttribute('width', width * scale);
  svg.setAttribute('height', height * scale);
  frame.scrollTo(x * scale - frame.clientWidth / 2, y * scale - frame.clientHeight / 2);
}

function move(by) {
  found[at]?.classList.remove('current');
  if (found.length === 0) return;
  at = (at + by + found.length) % found.length;
  const box = found[at];
  box.classList.add('current');
  if (scale < 0.5) zoom(1);
  const [place, room] = [box.getBoundingClientRect(), frame.getBoundingClientRect()];
  frame.scrollBy(place.x + place.width / 2 - room.x - room.width / 2, place.y + place.height / 2 - room.y - room.height / 2);
  status.textContent = `${at + 1} of ${found.length}: ${box.getAttribute('aria-label').split('\n')[0]}`;
}

field.addEventListener('input', () => {
  const text = field.value.trim().toLowerCase();
  for (const box of boxes) box.classList.remove('current', 'found');
  found = text === '' ? [] : boxes.filter((box) => box.getAttribute('aria-label').toLowerCase().includes(text));
  for (const box of found) box.classList.add('found');
  at = 0;
  status.textContent = text === '' ? '' : 'nothing is found';
  move(0);
});
field.addEventListener('keydown', (event) => {
  if (event.key === 'Enter') move(event.shiftKey ? -1 : 1);
});
document.getElementById('smaller').addEventListener('click', () => zoom(scale / 1.25));
document.getElementById('larger').addEventListener('click', () => zoom(scale * 1.25));
document.getElementById('natural').addEventListener('click', () => zoom(1));
document.getElementById('fit').addEventListener('click', () => zoom(Math.min(frame.clientWidth / width, (window.innerHeight * 0.8 - 20) / height)));
document.querySelector('.tools').hidden = false;
