// Draws one kind of track each on a canvas. Units are pixels of the canvas; depth is downwards.

const BLUES = [33, 102, 172], REDS = [178, 24, 43], WHITE = [247, 247, 247]; // as in ColorBrewer's RdBu
const SKY = [110, 180, 240], AMBER = [245, 165, 105], INK = [30, 33, 38]; // its counterpart on a dark page
const CIVIDIS = ['#00224e', '#233e6c', '#575d6d', '#7c7b78', '#a59c74', '#d3c164', '#fee838'];

const colourOf = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const mix = (a, b, share) => a.map((part, i) => Math.round(part + (b[i] - part) * share));
const cssOf = (rgb) => `rgb(${rgb.join(',')})`;

/** The rows of each pixel line of a view, `from` to `to` (not included); equal in a gap. */
function linesOf(hole, low, high, height, reuse) {
  const lines = reuse?.height === height ? reuse
    : { height, from: new Int32Array(height), to: new Int32Array(height), first: new Int32Array(height + 1) };
  const { depth, top, base, start, stop } = hole, scale = (high - low) / height;
  let i = firstRow(hole, low);
  for (let y = 0; y < height; y++) {
    const end = low + (y + 1) * scale, middle = low + (y + 0.5) * scale;
    const begin = i;
    lines.first[y] = i;
    while (i < stop && depth[i] < end) i++;
    lines.from[y] = begin;
    lines.to[y] = i;
    if (begin === i) {
      if (i > start && base[i - 1] > middle) lines.from[y] = i - 1;
      else if (i < stop && top[i] <= middle) lines.to[y] = i + 1;
    }
  }
  lines.first[height] = i;
  return Object.assign(lines, { hole, low, high, y: (at) => (at - low) / scale });
}

/** Call a function with the first and the last pixel line of each run in which `is(y)` holds. */
function runs(height, is, call) {
  let begin = -1;
  for (let y = 0; y <= height; y++) {
    const now = y < height && is(y);
    if (now && begin < 0) begin = y;
    if (!now && begin >= 0) {
      call(begin, y);
      begin = -1;
    }
  }
}

/** A row of a pixel line meets a condition. */
function some(lines, y, is) {
  for (let i = lines.from[y]; i < lines.to[y]; i++) if (is(i)) return true;
  return false;
}

/** Most rows of a pixel line meet a condition. */
function mostly(lines, y, is) {
  let n = 0;
  for (let i = lines.from[y]; i < lines.to[y]; i++) n += is(i) ? 1 : -1;
  return n > 0;
}

// Patterns ----------------------------------------------------------------------------------------------------------

const tiles = new Map();

function tileOf(pattern, paper, ink, ratio) {
  const key = [pattern, paper, ink, ratio].join();
  if (!tiles.has(key)) {
    const { width, height, strokes, dots } = LOG.patterns[pattern];
    const tile = document.createElement('canvas');
    tile.width = Math.round(width * ratio);
    tile.height = Math.round(height * ratio);
    const g = tile.getContext('2d');
    g.fillStyle = paper;
    g.fillRect(0, 0, tile.width, tile.height);
    g.scale(tile.width / width, tile.height / height);
    g.strokeStyle = g.fillStyle = ink;
    g.globalAlpha = 0.75;
    g.lineWidth = 0.9;
    for (const points of strokes) {
      g.beginPath();
      for (const [x, y] of points) g.lineTo(x, y);
      g.stroke();
    }
    for (const [x, y, radius] of dots) {
      g.beginPath();
      g.arc(x, y, radius, 0, 7);
      g.fill();
    }
    tiles.set(key, tile);
  }
  return tiles.get(key);
}

const hatches = new Map();

function hatchOf(colour, ratio) {
  const key = [colour, ratio].join();
  if (!hatches.has(key)) {
    const tile = document.createElement('canvas'), size = Math.round(7 * ratio);
    tile.width = tile.height = size;
    const g = tile.getContext('2d');
    g.strokeStyle = colour;
    g.lineWidth = Math.max(1, 0.9 * ratio);
    g.beginPath();
    for (const shift of [-size, 0, size]) {
      g.moveTo(shift - 1, size + 1);
      g.lineTo(shift + size + 1, -1);
    }
    g.stroke();
    hatches.set(key, tile);
  }
  return hatches.get(key);
}

/** Hatch the runs of pixel lines in which a condition holds for most rows, behind what is drawn. */
function hatch(g, lines, width, look, is) {
  g.globalCompositeOperation = 'destination-over';
  g.fillStyle = g.createPattern(hatchOf(look.hatch, look.ratio), 'repeat');
  runs(lines.height, (y) => mostly(lines, y, is), (y0, y1) => g.fillRect(0, y0, width, y1 - y0));
  g.globalCompositeOperation = 'source-over';
}

// Kinds of track ----------------------------------------------------------------------------------------------------

/** Where the values of a column are on an axis, from 0 to 1. */
function positions(values, { scale, low, high, around_0 }) {
  const spaced = scale === 'log' ? Math.log10
    : scale === 'symlog' ? (x) => Math.sign(x) * Math.log1p(Math.abs(x) / around_0) : (x) => x;
  const first = spaced(low), size = spaced(high) - first, found = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const at = (spaced(values[i]) - first) / size;
    found[i] = values[i] !== values[i] ? NaN : at > 0 ? Math.min(at, 1) : 0;
  }
  return found;
}

/** Add a line through values to a path: of each pixel line the first, least, greatest and last one. */
function trace(g, lines, at, width) {
  const { hole, height, first } = lines, { depth, gap } = hole;
  let last = -2, open = false;
  const bucket = (begin, end, yLine) => {
    for (let i = begin; i < end; i++) {
      if (at[i] !== at[i]) continue;
      const x = at[i] * width, y = yLine < 0 ? lines.y(depth[i]) : yLine;
      const joins = last === i - 1 && depth[i] - depth[last] <= gap;
      let least = x, greatest = x, j = i + 1;
      if (yLine >= 0) {
        for (; j < end && at[j] === at[j]; j++) {
          const other = at[j] * width;
          if (other < least) least = other; else if (other > greatest) greatest = other;
        }
      }
      if (joins) g.lineTo(x, y);
      else {
        if (open) dot();
        g.moveTo(x, y);
        open = true;
        dotX = x;
        dotY = y;
      }
      if (j > i + 1) {
        g.lineTo(least, y);
        g.lineTo(greatest, y);
        g.lineTo(at[j - 1] * width, y);
        open = false;
      } else if (joins) open = false;
      last = j - 1;
      i = j - 1;
    }
  };
  let dotX = 0, dotY = 0;
  const dot = () => { // a value alone is a dot
    g.moveTo(dotX - 0.4, dotY);
    g.lineTo(dotX + 0.4, dotY);
  };
  if (first[0] > hole.start) bucket(first[0] - 1, first[0], -1);
  for (let y = 0; y < height; y++) {
    const begin = first[y], end = first[y + 1];
    if (end > begin) bucket(begin, end, end - begin > 1 ? y + 0.5 : -1);
  }
  if (first[height] < hole.stop) bucket(first[height], first[height] + 1, -1);
  if (open) dot();
}

function drawCurve(g, track, lines, width, look) {
  const feature = track.features[0], { ratio } = look, pad = 3 * ratio, room = width - 2 * pad;
  if (track.axis) {
    track.at ??= positions(column('values', feature), track.axis);
    const colour = look.curves[track.colour % look.curves.length];
    const shown = lines.first[lines.height] - lines.first[0];
    if (shown > 3 * lines.height) paintCurve(g, lines, track.at, width, pad, ratio, colour);
    else strokeCurve(g, lines, track.at, room, pad, ratio, colour, lines.height / Math.max(shown, 1) > 7 * ratio);
  }
  const implausible = bitsOf('implausible', feature), missing = bitsOf('missing', feature);
  if (implausible) {
    g.fillStyle = look.alert;
    runs(lines.height, (y) => some(lines, y, (i) => implausible[i]), (y0, y1) => {
      g.fillRect(width - 5 * ratio, y0, 5 * ratio, Math.max(y1 - y0, 1.5 * ratio));
    });
  }
  if (missing) hatch(g, lines, width, look, (i) => missing[i]);
}

function strokeCurve(g, lines, at, width, pad, ratio, colour, hasDots) {
  g.save();
  g.translate(pad, 0);
  g.strokeStyle = g.fillStyle = colour;
  g.lineWidth = 1.15 * ratio;
  g.lineJoin = g.lineCap = 'round';
  g.beginPath();
  trace(g, lines, at, width);
  g.stroke();
  if (hasDots) {
    for (let i = lines.first[0]; i < lines.first[lines.height]; i++) {
      if (at[i] !== at[i]) continue;
      g.beginPath();
      g.arc(at[i] * width, lines.y(lines.hole.depth[i]), 1.9 * ratio, 0, 7);
      g.fill();
    }
  }
  g.restore();
}

/** Draw a curve with many values in each pixel line: from the least to the greatest, joined with the line above. */
function paintCurve(g, lines, at, width, pad, ratio, colour) {
  const { depth, gap } = lines.hole, room = width - 2 * pad, half = 0.55 * ratio, own = packed(colourOf(colour));
  let last = -2;
  paint(g, lines, width, (pixels, to, begin, end) => {
    let least = Infinity, greatest = -Infinity;
    for (let i = begin; i < end; i++) {
      const x = at[i];
      if (x !== x) continue;
      if (last === i - 1 && least === Infinity && depth[i] - depth[last] <= gap) least = greatest = at[last];
      if (x < least) least = x;
      if (x > greatest) greatest = x;
      last = i;
    }
    if (least > greatest) return;
    pixels.fill(own, to + Math.round(pad + least * room - half), to + Math.round(pad + greatest * room + half) + 1);
  });
}

const packed = ([r, g, b], a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
const images = new Map();

/** Set all pixels of a track: `call(pixels, offset, from, to)` is given the rows of each pixel line that is no gap. */
function paint(g, lines, width, call) {
  const { height } = lines, key = `${width} ${height}`;
  if (!images.has(key)) {
    if (images.size > 40) images.clear();
    images.set(key, g.createImageData(width, height));
  }
  const image = images.get(key), pixels = new Uint32Array(image.data.buffer);
  pixels.fill(0);
  for (let y = 0; y < height; y++) {
    if (lines.from[y] < lines.to[y]) call(pixels, y * width, lines.from[y], lines.to[y]);
  }
  g.putImageData(image, 0, 0);
}

function drawColour(g, track, lines, width, look) {
  const [reds, greens, blues, has] = [0, 1, 2, 3].map((i) => column('colour', i));
  paint(g, lines, width, (pixels, to, begin, end) => {
    let n = 0, r = 0, green = 0, b = 0;
    for (let i = begin; i < end; i++) {
      if (!has[i]) continue;
      n++;
      r += reds[i];
      green += greens[i];
      b += blues[i];
    }
    if (2 * n >= end - begin && n) pixels.fill(packed([r / n, green / n, b / n]), to, to + width);
  });
  hatch(g, lines, width, look, (i) => !has[i]);
}

/** The commonest lithology of some rows, as a position in the classes; -1 if they have none. */
function commonest(codes, begin, end) {
  if (end - begin === 1) return codes[begin];
  const counts = commonest.counts ??= new Int32Array(LOG.classes.length + 1);
  let best = -1;
  for (let i = begin; i < end; i++) {
    if (codes[i] >= 0 && (++counts[codes[i]] > (best < 0 ? 0 : counts[best]))) best = codes[i];
  }
  for (let i = begin; i < end; i++) if (codes[i] >= 0) counts[codes[i]] = 0;
  return best;
}

function fillLithology(g, shown, y0, y1, width, look, y = 0) {
  const { colour, pattern, ink } = shown ?? { colour: look.panel, pattern: 'other', ink: look.faint };
  g.fillStyle = colour;
  if (y1 - y0 >= 3 * look.ratio) {
    g.fillStyle = g.createPattern(tileOf(pattern, colour, ink, look.ratio), 'repeat');
    g.fillStyle.setTransform(new DOMMatrix([1, 0, 0, 1, 0, Math.round(y)]));
  }
  g.fillRect(0, y0, width, y1 - y0);
}

function drawRows(g, track, lines, width, look) {
  const codes = column('lithologies'), { height } = lines;
  const code = (y) => (lines.from[y] < lines.to[y] ? commonest(codes, lines.from[y], lines.to[y]) : -1);
  if (track.width <= 1) {
    const colours = look.byCode;
    paint(g, lines, width, (pixels, to, begin, end) => {
      const found = commonest(codes, begin, end);
      if (found >= 0) pixels.fill(colours[found], to, to + width);
    });
  } else {
    const shift = (-lines.low / (lines.high - lines.low)) * height;
    for (let y = 0, end = 0; y < height; y = end) {
      const own = code(y);
      for (end = y + 1; end < height && code(end) === own;) end++;
      if (own >= 0) fillLithology(g, look.shownByCode[own], y, end, width, look, shift);
    }
  }
  hatch(g, lines, width, look, (i) => codes[i] < 0);
}

function drawLithology(g, track, lines, width, look) {
  const { ratio } = look, shift = (-lines.low / (lines.high - lines.low)) * lines.height;
  const boxes = lines.hole.intervals.filter((one) => one.base > lines.low && one.top < lines.high);
  g.lineWidth = Math.max(1, 0.7 * ratio);
  g.strokeStyle = look.edge;
  for (const one of boxes) {
    const y0 = Math.round(Math.max(0, lines.y(one.top))), y1 = Math.round(Math.min(lines.height, lines.y(one.base)));
    fillLithology(g, look.shownByName.get(one.lithology), y0, Math.max(y1, y0 + 1), width, look, shift);
    if (y1 - y0 < 3 * ratio) continue;
    g.beginPath();
    g.moveTo(0, y0 + 0.5);
    g.lineTo(width, y0 + 0.5);
    g.moveTo(0, y1 + 0.5);
    g.lineTo(width, y1 + 0.5);
    g.stroke();
  }
  g.font = `${11 * ratio}px ${look.font}`;
  g.textBaseline = 'middle';
  g.lineJoin = 'round';
  for (const one of boxes) {
    const y0 = Math.max(0, lines.y(one.top)), y1 = Math.min(lines.height, lines.y(one.base));
    if (y1 - y0 < 17 * ratio) continue;
    const text = shortened(g, one.lithology, width - 12 * ratio);
    const shown = look.shownByName.get(one.lithology);
    g.lineWidth = 5 * ratio;
    g.strokeStyle = shown?.colour ?? look.panel;
    g.fillStyle = shown ? '#16191d' : look.ink;
    g.strokeText(text, 6 * ratio, (y0 + y1) / 2);
    g.fillText(text, 6 * ratio, (y0 + y1) / 2);
  }
}

function shortened(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  const letters = [...text];
  while (letters.length && g.measureText(`${letters.join('')}…`).width > width) letters.pop();
  return `${letters.join('').trimEnd()}…`;
}

/** Fill from the left to the mean (probability) or the greatest value (novelty) of each pixel line. */
function drawBars(g, lines, at, width, colour, isGreatest) {
  const own = packed(colourOf(colour));
  paint(g, lines, width, (pixels, to, begin, end) => {
    let n = 0, sum = 0, most = 0;
    for (let i = begin; i < end; i++) {
      if (at[i] !== at[i]) continue;
      n++;
      sum += at[i];
      if (at[i] > most) most = at[i];
    }
    if (n) pixels.fill(own, to, to + Math.max(1, Math.round((isGreatest ? most : sum / n) * width)));
  });
}

function drawProbability(g, track, lines, width, look) {
  const values = column('probabilities');
  drawBars(g, lines, values, width, look.bar, false);
  hatch(g, lines, width, look, (i) => values[i] !== values[i]);
}

function drawNovelty(g, track, lines, width, look) {
  const p = column('novelty_p'), { low, high } = track.axis;
  track.at ??= positions(p.map((x) => -Math.log10(Math.max(x, 1e-6))), { scale: 'linear', low, high });
  drawBars(g, lines, track.at, width, look.novel, true);
  hatch(g, lines, width, look, (i) => p[i] !== p[i]);
}

function drawFlags(g, track, lines, width, look) {
  const flags = column('flags'), n = LOG.flags.length, lane = width / n;
  LOG.flags.forEach((_, bit) => {
    g.fillStyle = look.flags[bit];
    runs(lines.height, (y) => some(lines, y, (i) => (flags[i] >> bit) & 1), (y0, y1) => g.fillRect(bit * lane + 1.5 * look.ratio, y0, lane - 3 * look.ratio, Math.max(y1 - y0, look.ratio)));
  });
}

/** Colours from -1 to 1 in 256 steps. */
function diverging(isDark) {
  const [low, middle, high] = isDark ? [SKY, INK, AMBER] : [BLUES, WHITE, REDS];
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i - 127.5) / 127.5;
    return packed(mix(middle, at < 0 ? low : high, Math.abs(at) ** 0.85));
  });
}

function drawEmbedding(g, track, lines, width, look) {
  const n = ARRAYS.embeddings.width, columns = Array.from({ length: n }, (_, i) => column('embeddings', i));
  const edges = columns.map((_, i) => Math.round((i * width) / n)).concat(width), scale = 127.5 / track.reach;
  paint(g, lines, width, (pixels, to, begin, end) => {
    for (let j = 0; j < n; j++) {
      const values = columns[j];
      let sum = 0, count = 0;
      for (let i = begin; i < end; i++) {
        if (values[i] === values[i]) {
          sum += values[i];
          count++;
        }
      }
      if (!count || 2 * count < end - begin) continue;
      const at = Math.round(127.5 + (scale * sum) / count);
      pixels.fill(look.diverging[at < 0 ? 0 : at > 255 ? 255 : at], to + edges[j], to + edges[j + 1]);
    }
  });
  hatch(g, lines, width, look, (i) => columns[0][i] !== columns[0][i]);
}

const DRAW = {
  curve: drawCurve,
  colour: drawColour,
  lithology: drawLithology,
  rows: drawRows,
  probability: drawProbability,
  novelty: drawNovelty,
  flags: drawFlags,
  embedding: drawEmbedding,
};
