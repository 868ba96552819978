// Drives the page in Chromium for test_page.py; browser.mjs says how.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { browser, serve, watch } from '../browser.mjs';

const page = await browser.newPage({ viewport: { width: 1248, height: 900 } });
const seen = watch(page);

const settled = () => page.waitForFunction(() => ['ready', 'done', 'failed'].includes(document.body.dataset.state));
const unsettle = () => page.evaluate(() => delete document.body.dataset.state);

const commands = {
  async open({ url }) {
    await page.goto(url);
    await settled();
  },
  async give({ files }) {
    await unsettle();
    await page.setInputFiles('#scan', files);
    await settled();
  },
  async drop({ path }) {
    const bytes = [...await readFile(path)];
    const transfer = await page.evaluateHandle(([name, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(content)], name));
      return data;
    }, [basename(path), bytes]);
    await unsettle();
    await page.dispatchEvent('#drop', 'drop', { dataTransfer: transfer });
    await settled();
  },
  async choose({ bundle }) {
    await unsettle();
    await page.selectOption('#bundle', bundle);
    await settled();
  },
  async click({ id }) {
    await unsettle();
    await page.click(`#${id}`);
    await settled();
  },
  async download() {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
  },
  async picture({ path, colorScheme }) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path, fullPage: true });
  },
  async point({ y, id = 'plot' }) {
    await page.hover(`#${id}`, { position: { x: 300, y } });
  },
};

async function shown() {
  const state = await page.evaluate(() => {
    const text = (id) => (document.getElementById(id).checkVisibility() ? document.getElementById(id).innerText : '');
    const lines = (id) => [...document.querySelectorAll(`#${id} tbody tr`)];
    const cells = (id) => lines(id).map((row) => [...row.cells].map((cell) => cell.innerText));
    const colours = (id) => {
      const plot = document.getElementById(id);
      if (!plot.checkVisibility()) return [];
      const { data } = plot.getContext('2d').getImageData(0, 0, plot.width, plot.height);
      return [...new Set(Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 3).join()))];
    };
    return {
      state: document.body.dataset.state, error: text('error'), card: text('card'), title: text('summary-title'),
      fate: text('fate'), doubt: text('doubt'), readout: text('readout'), legend: text('legend'),
      summary: cells('summary'), rows: cells('rows'),
      colours: colours('plot'), drawn: colours('features'), tracks: document.getElementById('features').ariaLabel,
      values: text('values'),
    };
  });
  return { ...state, ...seen };
}

await serve(commands, shown);
