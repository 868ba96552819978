/** The packages of package.json, which `npm ci` installs. */
import { fileURLToPath } from 'node:url';

import { LithoError } from './errors.mjs';

/** Import packages; throws a LithoError that says how to install them if one is missing. */
export async function importPackages(...names) {
  try {
    return await Promise.all(names.map((name) => import(name)));
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const folder = fileURLToPath(new URL('.', import.meta.url));
    throw new LithoError(`the npm packages are not installed: run "npm ci --omit=dev" in ${folder}`);
  }
}
