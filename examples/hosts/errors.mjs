/** An error whose message tells the user what is wrong, where, and what to do. */
export class LithoError extends Error {
  name = 'LithoError';
}
