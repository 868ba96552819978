// Opens a report and pans through it, for log_page.py: node log_page.mjs NODE_MODULES CHROMIUM URL FOLDER
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';

const [modules, executablePath, url, folder] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const FRAMES = 100;

/** CPU time of this process's children and theirs, in ms (Linux). */
function cpu() {
  const parents = new Map(), times = new Map();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1].split(' ');
      parents.set(id, fields[1]);
      times.set(id, 10 * (Number(fields[11]) + Number(fields[12])));
    } catch { /* it has ended */ }
  }
  const isOurs = (id) => id === String(process.pid) || (parents.has(id) && isOurs(parents.get(id)));
  return [...times].filter(([id]) => id !== String(process.pid) && isOurs(id)).reduce((sum, [, ms]) => sum + ms, 0);
}

const results = [];
for (const ratio of [1, 2]) {
  const context = await chromium.launchPersistentContext(`${folder}/profile-${ratio}`, {
    executablePath, chromiumSandbox: false, args: ['--disable-gpu'], viewport: { width: 1600, height: 1000 }, deviceScaleFactor: ratio,
  });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.dataset.state === 'ready');
  const ready = Math.round(await page.evaluate(() => performance.now()));
  const paint = Math.round(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
  for (const share of [0.95, 0.3, 0.03]) {
    await page.waitForTimeout(500);
    const before = cpu(), began = performance.now();
    await page.evaluate(async ([size, frames]) => {
      const [low, high] = state.hole.full, whole = high - low;
      for (let i = 0; i < frames; i++) {
        const from = low + (i / frames) * (1 - size) * whole;
        show(from, from + size * whole);
        await new Promise(requestAnimationFrame);
      }
    }, [share, FRAMES]);
    const fps = Math.round((1000 * FRAMES) / (performance.now() - began));
    results.push({ ratio, share, paint, ready, fps, cpu: Math.round((10 * (cpu() - before)) / FRAMES) / 10 });
  }
  await context.close();
}
process.stdout.write(JSON.stringify(results));
