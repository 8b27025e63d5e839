import { ShuffledModels } from '../../kernel/explain-again.ts';
import { shutdown } from '../../kernel/index.ts';
import { embeddedModels } from '../../kernel/model/embedded.ts';
import { progress } from '../progress.ts';
import { measure } from './measure.ts';
import { plan } from './plan.ts';
import { append, gathered, keyOf, optionsHash } from './records.ts';
import { Scenes } from './scenes.ts';
import type { Asked } from './scenes.ts';
import { TRUTH } from './truth.ts';

export interface FillOptions {
  /** Stops after so many minutes; Infinity for all that is planned. */
  readonly minutes: number;
  /** [i, n]: this process takes every n-th scene, from the i-th on (counted from 1), for several processes beside each other. */
  readonly share: readonly [number, number];
  /** Only these models and settings; all where absent. */
  readonly models?: readonly string[] | undefined;
  readonly settings?: readonly string[] | undefined;
}

/**
 * Measures what is planned and not yet recorded, and records each result at once: a run that was stopped goes on where it was.
 * @returns how many records were added
 */
export async function fill({ minutes, share: [mine, processes], models, settings }: FillOptions): Promise<number> {
  const until = performance.now() + minutes * 60_000;
  const known = new Set((await gathered()).map(keyOf));
  const scenesOf = new Map<string, Scenes>();
  const refusing = new Set<string>();
  const shuffled = new ShuffledModels();
  let added = 0;
  const chosen = embeddedModels().filter((model) => models?.includes(model) ?? true);
  try {
    for (const { part, settings: planned, models: of, scenes: count } of plan(chosen)) {
      for (const model of of) {
        const scenes = scenesOf.get(model) ?? (await Scenes.of(model));
        scenesOf.set(model, scenes);
        for (const setting of planned.filter(({ name }) => settings?.includes(name) ?? true)) {
          let at = 0;
          const suits = ({ words, scene }: Asked) =>
            (part !== 'words' || words !== null) && (setting !== TRUTH || scene.evidence.length > 0);
          for await (const asked of scenes.first(count, suits)) {
            at++;
            const options = optionsHash(setting);
            const key = { part, model, setting: setting.name, options, scene: asked.scene.file };
            const pair = `${part} ${model} ${setting.name}`;
            if (at % processes !== mine % processes || known.has(keyOf(key)) || refusing.has(pair)) continue;
            if (performance.now() > until) return added;
            progress(`${pair}: scene ${at}${Number.isFinite(count) ? ` of ${count}` : ''}`);
            const found = await measure(part, asked, setting, model, shuffled);
            // What does not work on one scene of a model works on none.
            if (found.refused !== undefined) refusing.add(pair);
            await append({ ...key, ...found }, `part-${mine}-of-${processes}`);
            known.add(keyOf(key));
            added++;
          }
        }
      }
    }
    return added;
  } finally {
    await shuffled.remove();
    await shutdown();
    progress('');
  }
}
