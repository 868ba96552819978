// What the drivers of pages share: Chromium, what a page asked for and complained of, and commands on stdin.
// node DRIVER NODE_MODULES CHROMIUM: one JSON command per line on stdin, one JSON answer per line on stdout.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [modules, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
export const browser = await chromium.launch({ executablePath, chromiumSandbox: false, args: quiet });

/** The requests and the errors of a page, from now on. */
export function watch(page) {
  const requests = [], faults = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  return { requests, faults };
}

/** Answer each command: with what it returns, or else with what the page shows. Close the browser at the end. */
export async function serve(commands, shown) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...given } = JSON.parse(line);
    let answer;
    try {
      answer = (await commands[command](given)) ?? await shown();
    } catch (error) {
      answer = { broken: error.stack };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}
