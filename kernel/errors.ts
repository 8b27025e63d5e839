/**
 * An error for people: one message that says what was wrong, with which value, and what to do about it.
 * Whatever shows errors (cells, the shell, VS Code) shows the message of a `LensError` alone and never its stack.
 */
export class LensError extends Error {
  override readonly name = 'LensError';

  /**
   * @param what what was wrong, with the value in it: `'cannot read the image "cat.png": the file does not exist'`
   * @param remedy what to do about it; joined to the message as its own sentence
   */
  constructor(what: string, remedy?: string, options?: ErrorOptions) {
    super(remedy === undefined ? what : `${what}. ${remedy}`, options);
  }
}

/** What an aborted call rejects with; `name` is 'AbortError', as in the DOM. */
export class AbortError extends Error {
  override readonly name = 'AbortError';

  constructor(message = 'interrupted') {
    super(message);
  }
}
