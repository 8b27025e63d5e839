import assert from 'node:assert/strict';
import { summary } from '../../renderer/wording.ts';
import { createCanvas } from 'canvas';
import MarkdownIt from 'markdown-it';
import sharp from 'sharp';
import { MIME_TYPE } from '../../kernel/document.ts';
import { cardPng } from '../../kernel/report/card.ts';
import { FONT_VARIATION, cardFont } from '../../kernel/report/fonts.ts';
import { escapeMarkdown, heatShares, hottestPlace, markdown } from '../../kernel/report/markdown.ts';
import { mimeBundle } from '../../kernel/report/mime-bundle.ts';
import { plainText } from '../../kernel/report/plain-text.ts';
import {
  comparisonDocument,
  drawStreet,
  explanation,
  encodersDocument,
  explanationDocument,
  hostileTextDocument,
  largeDocument,
  noDependenceDocument,
} from '../renderer/fixture.ts';

/** How many of the pixels in a part of the card are not its paper, 0 … 1. */
async function inked(
  png: Buffer,
  region: { left: number; top: number; width: number; height: number },
): Promise<number> {
  const { data, info } = await sharp(png).extract(region).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let count = 0;
  for (let at = 0; at < data.length; at += info.channels) if (data[at]! + data[at + 1]! + data[at + 2]! < 720) count++;
  return count / (info.width * info.height);
}

describe('the MIME bundle', () => {
  it('has the document as an object, a card, Markdown and one line of text, and nothing that hosts would prefer to them', async () => {
    const lens = await explanationDocument();
    const bundle = await mimeBundle(lens);
    assert.deepEqual(Object.keys(bundle), [MIME_TYPE, 'image/png', 'text/markdown', 'text/plain']);
    assert.equal(bundle[MIME_TYPE], lens);
    const { format } = await sharp(Buffer.from(bundle['image/png'] as string, 'base64')).metadata();
    assert.equal(format, 'png');
  });

  it('has the card in its Markdown too, since most hosts show Markdown alone: a picture, then all of it in words', async () => {
    const lens = await hostileTextDocument();
    const text = (await mimeBundle(lens))['text/markdown'] as string;
    const [first, blank, ...rest] = text.split('\n');
    const [, width, data] = /^<img width="(\d+)" alt="[^"<>]+" src="data:image\/webp;base64,([A-Za-z0-9+/=]+)">$/.exec(
      first!,
    )!;
    const card = await sharp(Buffer.from(data!, 'base64')).metadata();
    assert.deepEqual([card.format, card.width, width], ['webp', 760, '760']);
    assert.equal(blank, '');
    assert.equal(rest.join('\n'), markdown(lens));
  });

  it('stays under 300 kB for 24 token maps over a picture of 1024 px', async () => {
    const lens = await largeDocument();
    assert.equal(lens.explanations[0]!.maps.length, 25);
    assert.equal(lens.images[0]!.width, 1024);
    const bundle = await mimeBundle(lens);
    const size = Buffer.byteLength(JSON.stringify(bundle));
    assert.ok(size <= 300_000, `${size} bytes`);
    const card = Buffer.from(bundle['image/png'] as string, 'base64');
    assert.equal((await sharp(card).metadata()).width, 1520, 'text stays sharp');
  });
});

const long = 'word '.repeat(120);

describe('the card', () => {
  it('is a picture at double density with picture, answer, legend and the tokens’ maps', async () => {
    const png = await cardPng(await explanationDocument());
    const { width, height, density } = await sharp(png).metadata();
    assert.equal(width, 1520);
    assert.equal(density, 144);
    assert.ok(height! > 1000 && height! < 2200, `${height} px high`);
    assert.ok((await inked(png, { left: 50, top: 50, width: 638, height: 638 })) > 0.95, 'the picture');
    const answer = await inked(png, { left: 736, top: 100, width: 736, height: 140 });
    assert.ok(answer > 0.05 && answer < 0.6, `the answer covers ${answer}`);
    assert.ok((await inked(png, { left: 50, top: 860, width: 260, height: 150 })) > 0.8, 'the first token’s map');
  });

  it('shows the heat: its hottest place is more yellow than without', async () => {
    const lens = await explanationDocument();
    const cold = { ...lens, explanations: [{ ...lens.explanations[0]!, maps: [], curves: [], metrics: [] }] };
    const hot = { left: 48 + Math.round(0.7 * 640) - 10, top: 48 + Math.round(0.72 * 640) - 10, width: 20, height: 20 };
    const mean = async (png: Buffer): Promise<number[]> =>
      (await sharp(await sharp(png).removeAlpha().extract(hot).png().toBuffer()).stats()).channels.map(
        (channel) => channel.mean,
      );
    const [warm, plain] = [await mean(await cardPng(lens)), await mean(await cardPng(cold))];
    assert.ok(warm[1]! > plain[1]! + 40, `green ${warm[1]} against ${plain[1]}`);
  });

  it('draws its text with its own fonts in several scripts', async () => {
    const lens = await noDependenceDocument();
    const ink: number[] = [];
    for (const text of ['iiiiiiiiii', 'Ωμέγα και άλφα', 'Щедрый вечер', 'ấ ề ộ Ű ł']) {
      const asked = { ...lens, explanations: [{ ...lens.explanations[0]!, question: text }] };
      ink.push(await inked(await cardPng(asked), { left: 736, top: 50, width: 736, height: 40 }));
    }
    assert.ok(Math.min(...ink) > 0.002, ink.join());
    assert.equal(new Set(ink).size, ink.length);
  });

  it('draws each letter of other scripts, ideographs and emoji with fonts of its own, and no letter as a box', async () => {
    for (const letters of ['عش', 'אש', 'कम', 'กม', '猫犬', 'あの', '고양', '🐈🏠', '直骨']) {
      const families = cardFont(letters)
        .split(', ')
        .filter((name) => name.startsWith('"noto-'))
        .join(', ');
      assert.notEqual(families, '', letters);
      const drawn = [...letters, '\ue000'].map((letter) => {
        const canvas = createCanvas(60, 60);
        const context = canvas.getContext('2d');
        context.fontVariationSettings = FONT_VARIATION;
        context.font = `40px ${families}`;
        context.fillText(letter, 5, 45);
        return Buffer.from(canvas.data()).toString('base64');
      });
      assert.equal(new Set(drawn).size, 3, `${letters}, and the box for what no font has`);
    }
  });

  it('takes Chinese, Japanese and Korean for what they are', () => {
    const first = (text: string): string | undefined => /noto-sans-(?:sc|jp|kr)/.exec(cardFont(text))?.[0];
    assert.deepEqual(['直', '直す', '直 고'].map(first), ['noto-sans-sc', 'noto-sans-jp', 'noto-sans-kr']);
  });

  it('is complete by itself: its height grows by what it says of thresholds', async () => {
    const lens = await explanationDocument();
    const [only] = lens.explanations;
    const easier = {
      ...only!,
      curves: [],
      metrics: [],
      maps: [],
      question: 'x '.repeat(400),
      provenance: { ...only!.provenance, parameters: { thresholdAsked: 'auto' } },
      answer: { ...only!.answer, threshold: 0.1 },
    };
    const height = async (explanation: typeof easier): Promise<number> =>
      (await sharp(await cardPng({ ...lens, explanations: [explanation] })).metadata()).height;
    const usual = { ...easier, answer: { ...easier.answer, threshold: 1 } };
    assert.ok(
      (await height({ ...easier, answer: { ...easier.answer, text: long } })) >
        (await height({ ...usual, answer: { ...usual.answer, text: long } })),
    );
  });

  it('takes tall and wide pictures, long and empty answers, and comparisons', async () => {
    const lens = await explanationDocument();
    const long = 'supercalifragilistic'.repeat(20);
    const [only] = lens.explanations;
    const wide = { ...lens.images[0]!, ...(await stretched(600, 60)) };
    const tall = { ...lens.images[0]!, ...(await stretched(60, 600)) };
    for (const document of [
      { ...lens, images: [wide] },
      { ...lens, images: [tall] },
      { ...lens, explanations: [{ ...only!, question: long, answer: { ...only!.answer, text: long, tokens: [] } }] },
      {
        ...lens,
        explanations: [
          { ...only!, answer: { ...only!.answer, text: '', tokens: [] }, maps: [], dependsOnImage: false },
        ],
      },
      await comparisonDocument(),
      await hostileTextDocument(),
    ]) {
      const { width, height } = await sharp(await cardPng(document)).metadata();
      assert.equal(width, 1520);
      assert.ok(height! > 300 && height! < 4000, `${height}`);
    }
  });
});

async function stretched(width: number, height: number) {
  const { data } = await drawStreet(64);
  const picture = await sharp(Buffer.from(data, 'base64')).resize(width, height, { fit: 'fill' }).webp().toBuffer();
  return { data: picture.toString('base64'), width, height };
}

describe('Markdown', () => {
  it('is a table of tokens with what each rests on', async () => {
    const text = markdown(await explanationDocument());
    assert.match(text, /^Question: What can you see in this picture\?$/m);
    assert.match(
      text,
      /^\| cat \| 5\.87 \| 95\.1 % \| 0\.269 % \| yes: depends on the image \| bottom left \(30 % across, 73 % down\) \|$/m,
    );
    assert.match(text, /^\| under \| 0\.93 \| 95\.1 % \| 37\.5 % \| no: below the threshold \| {2}\|$/m);
    assert.match(text, /^\| deletion \| 0\.131 \| lower \|$/m);
  });

  it('says plainly that an answer does not depend on the image', async () => {
    assert.match(markdown(await noDependenceDocument()), /^The answer does not depend on the image\./m);
  });

  it('says first which tokens depend on the image, and where the heat lies', async () => {
    const text = markdown(await explanationDocument());
    assert.match(text, /^7 of 19 tokens depend on the image; [^\n]*: cat \(5\.87\), terr \(4\.42\), house \(3\.20\)/m);
    const sun = explanation().maps.find(({ label }) => label === 'sun')!;
    assert.match(heatShares(sun), /^\d\d % at the top left/);
    const [, share] = /^(\d+) %/.exec(heatShares(sun))!;
    assert.ok(Number(share) >= 50, share);
  });

  it('says when tokens were selected by an easier rule than the paper’s, and with another baseline than blur', async () => {
    const lens = await explanationDocument();
    const [only] = lens.explanations;
    const told = (threshold: number, parameters: Record<string, unknown>): string => {
      const changed = {
        ...only!,
        answer: { ...only!.answer, threshold },
        provenance: { ...only!.provenance, parameters },
      };
      const document = { ...lens, explanations: [changed] };
      return `${markdown(document)}\n${plainText(document)}`;
    };
    assert.doesNotMatch(
      told(1, { thresholdAsked: 'auto', baselineAsked: 'auto', baseline: 'blur' }),
      /usual|stands in/,
    );
    assert.doesNotMatch(told(0.1, { thresholdAsked: 0.1 }), /usual/, 'who asks for it knows');
    const easier = told(0.1, { thresholdAsked: 'auto', baselineAsked: 'auto', baseline: 'black' });
    assert.match(easier, /No token reached the usual log-likelihood ratio of 1, so those above 0\.1 are counted/);
    assert.match(easier, /“black” stands in for the image/);
    assert.match(easier, /by an easier rule than usual/);
    assert.match(told(1, { thresholdAsked: 'auto', stopWords: true }), /stop words are counted too, those above 1/);
  });

  it('says what the model was not shown of the picture', async () => {
    const lens = await explanationDocument();
    const [only] = lens.explanations;
    assert.doesNotMatch(markdown(lens), /without tiles/);
    const model = { ...only!.model, notice: 'The model saw the whole picture only, without tiles.' };
    const told = markdown({ ...lens, explanations: [{ ...only!, model }] });
    assert.match(told, /saw the whole picture only, without tiles\./);
  });

  it('warns of a map of which looking confirmed nothing', async () => {
    const lens = await explanationDocument();
    const [only] = lens.explanations;
    const told = (found: { readonly confirmed?: boolean }): string => {
      const maps = only!.maps.map((map) => (map.role === 'joint' ? { ...map, ...found } : map));
      return markdown({ ...lens, explanations: [{ ...only!, maps }] });
    };
    for (const found of [{}, { confirmed: true }]) assert.doesNotMatch(told(found), /confirmed/);
    assert.match(told({ confirmed: false }), /nothing on this map is confirmed, and it may be noise\./);
  });

  it('gives the agreement of a comparison', async () => {
    const lens = await comparisonDocument();
    // A document of an earlier version has no earth mover's distance.
    assert.match(markdown(lens), /^\| igos\+\+ \| grad-cam \| −0\.07 \| 0\.11 \| {2}\|$/m);
    const agreement = lens.agreement!.map((pair) => ({ ...pair, earthMovers: 0.125 }));
    assert.match(markdown({ ...lens, agreement }), /^\| igos\+\+ \| grad-cam \| −0\.07 \| 0\.11 \| 0\.13 \|$/m);
  });

  it('tells of each compared answer whether it is right, its visual words and its focus', async () => {
    const lens = await comparisonDocument();
    const [first, ...others] = lens.explanations;
    const correctness = { correct: false, references: ['a | cat', '<i>dog</i>'] };
    const judged = { ...lens, explanations: [{ ...first!, focus: 0.2, correctness }, ...others] };
    const text = markdown(judged);
    assert.match(text, /\(wrong; acceptable: a \\\| cat · &lt;i&gt;dog&lt;\/i&gt;\)/);
    assert.match(text, /^\| {2}\| answer \| reference \| words that depend on the image, LLR \| focus \|$/m);
    assert.match(text, /^\| igos\+\+ \| A brown .* \| wrong \| brown 2\.31, terr 4\.42, .* \| 20 % \|$/m);
    assert.match(summary(judged), /: igos\+\+ \(wrong, focus 20 %\) \| /);
  });

  it('tells what each encoder contributed', async () => {
    const text = markdown(await encodersDocument());
    assert.match(text, /^\*\*What each encoder contributed\*\*$/m);
    assert.match(text, /^\| low \| 96 × 96 px \| 75 % \| 4 \| 2\.5 \|$/m);
  });

  it('shows hostile text as it is: no markup comes of it, and no table breaks', async () => {
    const lens = await hostileTextDocument();
    const html = new MarkdownIt({ html: true }).render(markdown(lens));
    assert.doesNotMatch(html, /<(?:img|script|b|a)\b/);
    assert.match(html, /&lt;img src=x onerror=/);
    const rows = html.match(/<tr>[\s\S]*?<\/tr>/g) ?? [];
    assert.deepEqual(
      rows.slice(0, 4).map((row) => (row.match(/<t[hd]/g) ?? []).length),
      [6, 6, 6, 6],
    );
  });

  it('escapes so that Markdown gives back the text', () => {
    const parser = new MarkdownIt({ html: true, linkify: true });
    for (const text of ['a*b*_c_`d`', '<b>&amp;</b>', '[x](y) ![z](w)', '~~s~~ a|b $x$', 'back\\slash \\* twice']) {
      const html = parser.renderInline(escapeMarkdown(text));
      const shown = html
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&quot;', '"')
        .replaceAll('&amp;', '&');
      assert.equal(shown, text);
    }
  });

  it('names the hottest place', () => {
    const { maps } = explanation();
    assert.equal(hottestPlace(maps.find(({ label }) => label === 'sun')!), 'top left (17 % across, 17 % down)');
  });
});

describe('plain text', () => {
  it('is one line with question, answer and the words that depend on the image', async () => {
    assert.equal(
      plainText(await explanationDocument()),
      'What can you see in this picture? → A brown terrier and a grey cat sit in front of a house, under the sun. ' +
        '(depends on the image: cat 5.87, terr 4.42, house 3.2, sun 2.78, brown 2.31, grey 1.76, front 1.12; ' +
        'deletion 0.131, insertion 0.817, energy inside 0.71)',
    );
    assert.match(plainText(await noDependenceDocument()), /\(does not depend on the image\)$/);
    assert.doesNotMatch(plainText(await hostileTextDocument()), /\n/);
  });
});
