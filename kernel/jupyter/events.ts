/** What a running cell tells its front end. Names follow the Jupyter messages that they become. */

/** Data by MIME type: text as strings, pictures as base64, JSON types as objects. */
export type MimeBundle = Readonly<Record<string, unknown>>;

export interface DisplayData {
  readonly data: MimeBundle;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** An error as a notebook stores it. */
export interface CellError {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

export type CellEvent =
  | { readonly type: 'stream'; readonly name: 'stdout' | 'stderr'; readonly text: string }
  | ({ readonly type: 'execute_result'; readonly executionCount: number } & DisplayData)
  | ({ readonly type: 'display_data'; readonly displayId?: string } & DisplayData)
  | ({ readonly type: 'update_display_data'; readonly displayId: string } & DisplayData)
  | ({ readonly type: 'error' } & CellError)
  /** Takes away what the cell has shown so far; with `wait` only when the next output comes. */
  | { readonly type: 'clear_output'; readonly wait: boolean }
  /**
   * Passing news of long work. A front end shows the latest of an id, and takes it away when `text` is missing or when the
   * cell's result replaces it.
   */
  | {
      readonly type: 'progress';
      readonly displayId: string;
      /** One line. */
      readonly text?: string;
      /** What there is of the result so far: a PNG, base64. */
      readonly png?: string;
    };
