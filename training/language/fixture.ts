/** A small stand-in for the public data sets, for tests. */
import type { Sources } from './sources.ts'

const lists: Record<string, unknown> = {
  'geography/us_cities': { cities: names('Spring', 'field', 'ton', 'bury', 'port').map(city => ({ city })) },
  'geography/english_towns_cities': { towns: names('Win', 'ham', 'wick', 'low', 'mere') },
  'humans/firstNames': { firstNames: names('Mar', 'ta', 'cus', 'ilyn', 'low') },
}

export const fixture: Sources = {
  corpora: path =>
    lists[path] ?? {
      description: 'words',
      words: names('so', 'lid', 'ber', 'cket', 'und').map(word => word.toLowerCase()),
    },
  clinc: {
    train: [
      ['how do i fix my bike', 'tire_change'],
      ['who wrote your code', 'who_made_you'],
      ['hello friend', 'greeting'],
    ],
    val: [],
    test: [['where can i park', 'traffic']],
    oos_train: [['why do cats purr', 'oos']],
    oos_test: [['why do dogs bark', 'oos']],
  },
  emotions: {
    train: [
      { text: 'What a lovely present this was', labels: [17] },
      { text: 'This makes me really angry today', labels: [2] },
      { text: 'The bus leaves at nine in the morning', labels: [27] },
    ],
    test: [
      { text: 'Such a happy little dog in the park', labels: [17] },
      { text: 'I am so sad about the whole thing', labels: [25] },
      { text: 'The shop is around the corner there', labels: [27] },
    ],
  },
  pairs: Array.from(
    { length: 60 },
    (_, i) => [`Is tree number ${i} green?`, `第${i}棵树是绿色的${'吗呢吧'[i % 3]}？`] as const,
  ),
  instructions: { train: ['Plan a party for my friends.'], test: ['Draft a letter to my bank.'] },
  problems: {
    train: ['A box holds six eggs. How many are in two boxes?'],
    test: ['Tom has four pens. He buys two. How many has he?'],
  },
  utterances: Array.from({ length: 40 }, (_, i) => ({ text: `wake me at ${i}`, intent: 'alarm_set' })),
  prose: [...'abcdefghijklmnopqrst'].map(
    letter => `It was bright and cold in ${letter}, and the clocks of the little town were striking as she went out.`,
  ),
  capitals: names('Bel', 'grad', 'mo', 'ize', 'fort'),
}

/** Made-up names from a stem: enough that both sides of the split have some. */
function names(stem: string, ...ends: string[]): string[] {
  return ends.flatMap(end => [...'abcdefghijklmnopqrst'].map(letter => `${stem}${letter}${end}`))
}
