/** Pulls a model in a process of its own: `pull-process.ts ID SETTINGS`; prints how far it is and, at last, the folder. */
import { pullModel } from '../../kernel/hub/pull.ts';
import type { HubSettings } from '../../kernel/hub/settings.ts';

const [id, settings] = process.argv.slice(2) as [string, string];
const onProgress = ({ file }: { file: { name: string; bytes: number } }) => console.log(`${file.name} ${file.bytes}`);
console.log(await pullModel(id, { onProgress }, JSON.parse(settings) as HubSettings));
