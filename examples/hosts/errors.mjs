/** What went wrong, where, and what to do: the message is meant for the user, not for a debugger. */
export class LithoError extends Error {
  name = 'LithoError';
}
