// The latent space: embeddings on their two main directions, linked to depth by selection.

const latent = { canvas: document.getElementById('points'), lasso: document.getElementById('lasso'), by: '', size: 0 };

function makeLatent() {
  const points = column('points');
  const section = document.getElementById('latent');
  const has = points?.some((x) => x === x) && ARRAYS.embeddings.width > 1;
  section.hidden = !has;
  if (!has) return;
  const { values } = ARRAYS.points, ends = [];
  for (const i of [0, 1]) {
    const finite = values.slice(i * LOG.n, (i + 1) * LOG.n).filter((x) => x === x).sort();
    ends.push([finite[0], finite.at(-1)]);
  }
  const size = Math.max(...ends.map(([low, high]) => high - low)) || 1; // one scale for both
  latent.from = ends.map(([low, high]) => (low + high) / 2 - size * 0.54);
  latent.scale = 1 / (1.08 * size);
  const choices = [['depth', LOG.hasDepth ? 'depth' : 'row']];
  if (column('lithologies')) choices.unshift(['lithology', 'lithology']);
  if (column('novelty_p')) choices.push(['novelty', 'novelty']);
  const chooser = document.getElementById('colour-by');
  chooser.append(...choices.map(([value, text]) => make('option', { value }, text)));
  chooser.addEventListener('change', () => {
    latent.by = chooser.value;
    drawPoints();
  });
  latent.by = choices[0][0];
  makeLasso();
  for (const what of ['view', 'selection', 'hole']) listeners[what].push(soonDrawPoints);
  listeners.row.push(drawLasso);
  const [x, y] = LOG.shares.map((share) => `${Math.round(100 * share)}%`);
  latent.canvas.setAttribute('aria-label', `Embeddings on their two main directions, which hold ${x} and ${y} of the variance`);
}

let waiting = 0;

/** Draw the points when the log has come to rest: many take longer than a frame. */
function soonDrawPoints() {
  clearTimeout(waiting);
  waiting = setTimeout(() => requestAnimationFrame(drawPoints), LOG.n > 5000 ? 200 : 20);
}

/** Colour of each row, packed. */
function pointColours() {
  const key = [latent.by, look.isDark, state.hole?.name].join();
  if (latent.key === key) return latent.colours;
  latent.key = key;
  const colours = latent.colours = new Uint32Array(LOG.n).fill(packed([128, 128, 128]));
  const ramp = Uint32Array.from({ length: 256 }, (_, i) => packed(rampAt(i / 255)));
  const { hole } = state, { start, stop } = hole;
  if (latent.by === 'lithology') {
    const codes = column('lithologies');
    const strong = Uint32Array.from(look.byCode, (one) => {
      const rgb = [one & 255, (one >> 8) & 255, (one >> 16) & 255];
      return packed(look.isDark ? rgb : mix(rgb, [0, 0, 0], 0.22));
    });
    for (let i = start; i < stop; i++) if (codes[i] >= 0) colours[i] = strong[codes[i]];
  } else if (latent.by === 'depth') {
    for (let i = start; i < stop; i++) colours[i] = ramp[Math.round((255 * (hole.depth[i] - hole.low)) / (hole.high - hole.low || 1))];
  } else {
    const p = column('novelty_p');
    for (let i = start; i < stop; i++) if (p[i] === p[i]) colours[i] = ramp[Math.round(Math.min(1, -Math.log10(Math.max(p[i], 1e-6)) / 4) * 255)];
  }
  return colours;
}

/** Cividis, without its darkest or brightest end, which the page's background would swallow. */
function rampAt(share) {
  const at = (look.isDark ? 0.18 + 0.82 * share : 0.9 * share) * (CIVIDIS.length - 1), i = Math.min(Math.floor(at), CIVIDIS.length - 2);
  return mix(colourOf(CIVIDIS[i]), colourOf(CIVIDIS[i + 1]), at - i);
}

function drawPoints() {
  const { canvas } = latent, { hole, selected, low, high } = state;
  const size = Math.round(canvas.clientWidth * look.ratio);
  if (!size || !hole) return;
  canvas.width = canvas.height = latent.size = size;
  const g = canvas.getContext('2d'), [xs, ys] = [column('points', 0), column('points', 1)];
  const colours = pointColours(), depth = hole.depth, { start, stop } = hole, n = stop - start;
  const image = g.createImageData(size, size), pixels = new Uint32Array(image.data.buffer);
  const radius = (n > 20000 ? 0.9 : n > 4000 ? 1.3 : n > 800 ? 1.9 : 2.6) * look.ratio;
  const stamps = discOf(radius);
  const paint = (i, alpha) => {
    const x = Math.round((xs[i] - latent.from[0]) * latent.scale * size);
    const y = Math.round(size - (ys[i] - latent.from[1]) * latent.scale * size);
    const colour = ((colours[i] & 0xffffff) | (alpha << 24)) >>> 0;
    for (const [dx, dy] of stamps) {
      const px = x + dx, py = y + dy;
      if (px >= 0 && py >= 0 && px < size && py < size) pixels[py * size + px] = colour;
    }
  };
  const faint = look.isDark ? 0x2b : 0x20;
  if (LOG.holes.length > 1) {
    for (let i = 0; i < LOG.n; i++) if ((i < start || i >= stop) && xs[i] === xs[i]) paint(i, faint >> 1);
  }
  const isIn = (i) => (selected ? selected[i] : depth[i] >= low && depth[i] <= high);
  for (let i = start; i < stop; i++) if (xs[i] === xs[i] && !isIn(i)) paint(i, faint);
  for (let i = start; i < stop; i++) if (xs[i] === xs[i] && isIn(i)) paint(i, 235);
  g.putImageData(image, 0, 0);
  const shares = LOG.shares.map((share) => `${Math.round(100 * share)}%`);
  g.fillStyle = look.soft;
  g.font = `${11 * look.ratio}px ${look.font}`;
  g.textAlign = 'right';
  g.fillText(`PC 1 (${shares[0]}) →`, size - 7 * look.ratio, size - 7 * look.ratio);
  g.save();
  g.translate(13 * look.ratio, 7 * look.ratio);
  g.rotate(-Math.PI / 2);
  g.fillText(`PC 2 (${shares[1]}) →`, 0, 0);
  g.restore();
  if (state.printing) flatten(canvas, g);
  drawLasso();
  drawScale();
}

function discOf(radius) {
  const found = [], reach = Math.ceil(radius);
  for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) if (x * x + y * y <= radius * radius) found.push([x, y]);
  return found;
}

/** The scale of the colours, under the points. */
function drawScale() {
  const place = document.getElementById('points-scale'), { hole } = state;
  if (latent.by === 'lithology') return place.replaceChildren(
    make('p', { class: 'hint' }, 'Colours as in the legend of lithologies.'),
    ...(LOG.warning ? [make('p', { class: 'hint' }, '⚠ ', foreign(LOG.warning))] : []),
  );
  const ends = latent.by === 'depth' ? [depthText(hole.depth[hole.start]), depthText(hole.depth[hole.stop - 1])] : ['p = 1', 'p ≤ 0.0001'];
  const ramp = make('span', { class: 'ramp' });
  ramp.style.background = `linear-gradient(90deg, ${Array.from({ length: 9 }, (_, i) => cssOf(rampAt(i / 8))).join()})`;
  place.replaceChildren(make('div', { class: 'ramp-row' }, ends[0], ramp, ends[1]));
}

// Lasso -------------------------------------------------------------------------------------------------------------

let loop = null;

function makeLasso() {
  const { lasso } = latent;
  const at = (event) => {
    const box = lasso.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  lasso.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !state.hole) return;
    lasso.setPointerCapture(event.pointerId);
    loop = [at(event)];
  });
  lasso.addEventListener('pointermove', (event) => {
    if (!loop) return;
    const [x, y] = at(event), [px, py] = loop.at(-1);
    if (Math.hypot(x - px, y - py) < 0.004) return;
    loop.push([x, y]);
    drawLasso();
  });
  lasso.addEventListener('pointerup', () => {
    if (!loop) return;
    const drawn = loop;
    loop = null;
    if (drawn.length < 4) select(null);
    else select(insideOf(drawn));
    drawLasso();
  });
  lasso.addEventListener('pointercancel', () => {
    loop = null;
    drawLasso();
  });
}

/** Whether a row's point is inside a loop. */
function insideOf(corners) {
  const [xs, ys] = [column('points', 0), column('points', 1)];
  return (i) => {
    const x = (xs[i] - latent.from[0]) * latent.scale, y = 1 - (ys[i] - latent.from[1]) * latent.scale;
    if (x !== x) return false;
    let is = false;
    for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
      const [ax, ay] = corners[a], [bx, by] = corners[b];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) is = !is;
    }
    return is;
  };
}

function drawLasso() {
  const { lasso } = latent, size = latent.size;
  if (!size) return;
  if (lasso.width !== size) lasso.width = lasso.height = size;
  const g = lasso.getContext('2d');
  g.clearRect(0, 0, size, size);
  g.strokeStyle = look.ink;
  g.lineWidth = 1.2 * look.ratio;
  if (loop) {
    g.setLineDash([4 * look.ratio, 3 * look.ratio]);
    g.fillStyle = look.select;
    g.beginPath();
    for (const [x, y] of loop) g.lineTo(x * size, y * size);
    g.fill();
    g.stroke();
    g.setLineDash([]);
  }
  if (state.row >= 0) {
    const x = (column('points', 0)[state.row] - latent.from[0]) * latent.scale;
    const y = 1 - (column('points', 1)[state.row] - latent.from[1]) * latent.scale;
    if (x === x) {
      g.beginPath();
      g.arc(x * size, y * size, 6 * look.ratio, 0, 7);
      g.stroke();
    }
  }
}
