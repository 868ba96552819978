// Drives a report in Chromium for test_page.py; browser.mjs says how.
import { browser, serve, watch } from '../../browser.mjs';

let page, seen;

/** Where a share of an element is on the screen. */
async function place(selector, [x, y]) {
  const element = page.locator(selector).first();
  await element.scrollIntoViewIfNeeded();
  const box = await element.boundingBox();
  return [box.x + x * box.width, box.y + y * box.height];
}

const commands = {
  async open({ url, width = 1400, height = 1000, colorScheme = 'light' }) {
    await page?.close();
    page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
    seen = watch(page);
    await page.goto(url);
    await page.waitForFunction(() => document.documentElement.dataset.state === 'ready');
  },
  async wheel({ selector, at, by }) {
    await page.mouse.move(...await place(selector, at));
    await page.mouse.wheel(0, by);
  },
  async point({ selector, at }) {
    await page.mouse.move(...await place(selector, at));
  },
  async drag({ selector, through, shift = false }) {
    const places = [];
    for (const at of through) places.push(await place(selector, at));
    if (shift) await page.keyboard.down('Shift');
    await page.mouse.move(...places[0]);
    await page.mouse.down();
    for (const at of places.slice(1)) await page.mouse.move(...at, { steps: 4 });
    await page.mouse.up();
    if (shift) await page.keyboard.up('Shift');
  },
  async pinch({ selector, from, to }) {
    const touch = await page.context().newCDPSession(page);
    const points = async (ys) => Promise.all(ys.map(async (y, id) => {
      const [left, top] = await place(selector, [0.5, y]);
      return { x: left, y: top, id };
    }));
    await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: await points(from) });
    for (const share of [0.25, 0.5, 0.75, 1]) {
      const ys = from.map((y, i) => y + share * (to[i] - y));
      await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: await points(ys) });
    }
    await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  },
  async press({ keys }) {
    await page.focus('#panels');
    for (const key of keys) await page.keyboard.press(key);
  },
  async click({ selector, at }) {
    if (at) await page.mouse.click(...await place(selector, at));
    else await page.click(selector);
  },
  async choose({ selector, value }) {
    await page.selectOption(selector, value);
  },
  async media(given) {
    await page.emulateMedia(given);
  },
  async print({ path }) {
    await page.pdf({ path, preferCSSPageSize: true, printBackground: true });
  },
  async picture({ path }) {
    await page.screenshot({ path });
  },
  async evaluate({ code }) {
    return { value: await page.evaluate(code) };
  },
};

async function shown() {
  await page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 100)));
  const state = await page.evaluate(() => {
    const figure = document.getElementById('figure');
    const text = (selector) => {
      const element = document.querySelector(selector);
      return element?.checkVisibility() ? element.innerText : '';
    };
    const rows = (selector) => [...document.querySelectorAll(`${selector} tbody tr`)].map((row) => [...row.cells].map((cell) => cell.innerText));
    return {
      title: document.title,
      text: document.body.innerText,
      low: Number(figure.dataset.low),
      high: Number(figure.dataset.high),
      selected: Number(figure.dataset.selected ?? 0),
      values: text('#values'),
      said: document.getElementById('said').textContent,
      theme: document.documentElement.dataset.theme,
      background: getComputedStyle(document.body).backgroundColor,
      tracks: [...document.querySelectorAll('.track > canvas')].map((canvas) => ({
        label: canvas.ariaLabel,
        kind: canvas.parentNode.className.split(' ')[1],
        drawn: canvas.checkVisibility() && canvas.width > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((x) => x),
      })),
      intervals: rows('#intervals'),
      chosen: document.querySelector('#intervals tr.chosen')?.cells[0].innerText ?? '',
      legend: text('#legend'),
      warning: text('.warning'),
    };
  });
  return { ...state, ...seen };
}

await serve(commands, shown);
