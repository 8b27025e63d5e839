/**
 * JupyterLab's way in: what its loader finds under `window._JUPYTERLAB` once the script has run. A prebuilt extension is a
 * module-federation container, an object with `init` and `get`. Ours is written out: it has one module and takes one class,
 * Lumino's Widget, from what JupyterLab shares.
 */
import type { Widget } from '@lumino/widgets';
import { mimeExtension } from './mime-extension.ts';
import { newest, type SharedVersions } from './shared-versions.ts';

/** JupyterLab's shared modules: by name, then by version. */
type ShareScope = Readonly<Record<string, SharedVersions<unknown> | undefined>>;

interface Container {
  init(scope: ShareScope): void;
  get(module: string): Promise<() => object>;
}

/** The name in the extension's package.json, by which JupyterLab asks for the container. */
const NAME = 'lvlm-lens';

/** Likewise, of its module. */
const MODULE = './mimeExtension';

const WIDGETS = '@lumino/widgets';

let shared: ShareScope = {};

const container: Container = {
  init(scope) {
    shared = scope;
  },
  async get(module) {
    if (module !== MODULE) throw new Error(`${NAME} has no module "${module}", only "${MODULE}"`);
    const versions = shared[WIDGETS] as SharedVersions<{ readonly Widget: typeof Widget }> | undefined;
    const widgets = versions && newest(versions);
    if (!widgets) throw new Error(`JupyterLab shares no ${WIDGETS}, which ${NAME} needs`);
    const { Widget: Base } = (await widgets.get())();
    // JupyterLab writes on the module, and tells its exports by `__esModule`.
    return () => ({ __esModule: true, default: mimeExtension(Base) });
  },
};

const lab = ((window as unknown as { _JUPYTERLAB?: Record<string, Container> })._JUPYTERLAB ??= {});
lab[NAME] = container;
