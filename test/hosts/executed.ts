/**
 * The project's notebooks that this run of the tests has executed, by file name: where they were saved. Executing them takes minutes, so that
 * whoever compares what they say does not do it once more.
 */
export const executed = new Map<string, string>();
