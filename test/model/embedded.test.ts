import { embeddedModels } from '../../kernel/model/embedded.ts';
import type { LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel, openParts } from '../../kernel/model/open-model.ts';
import type { ModelParts } from '../../kernel/model/open-model.ts';
import { checkFeatures, checkThroughMask, SIZES } from './bright-square.ts';

const QUESTION = 'What is in the picture?';
const ANSWER = 'There is a clock.';

for (const name of embeddedModels()) {
  describe(`${name}, embedded`, function () {
    this.timeout(120_000);
    let parts: ModelParts;
    let model: LoadedModel;

    before(async () => {
      parts = await openParts(name);
      model = await openModel(name);
    });
    after(async () => {
      await model?.release();
      await Promise.all(Object.values(parts?.sessions ?? {}).map((session) => session.release()));
      parts?.vision.release();
    });

    for (const [label, size] of Object.entries(SIZES)) {
      it(`${label}: a bright square’s effect is found where it is, through the mask`, () =>
        checkThroughMask(model, size, QUESTION, ANSWER));

      it(`${label}: a bright square changes the features where it is`, () => checkFeatures(parts, size));
    }
  });
}
