import type { Message } from './index.ts'

const dollars = (nano: number) => `${(nano / 1e9).toFixed(2)} USD`

/** A mail about money, in plain text. What comes from outside is cut to one short line. */
export function wordsOf({ notice, organization, subject, id }: Message): { title: string; text: string } {
  const { month, thresholdNano, spentNano } = notice
  const whose = line(subject)
  if (notice.subject === 'credit')
    return {
      title: `Parlance: the credit of ${line(organization)} is used up`,
      text: `The credit of ${whose} is used up: ${dollars(spentNano)} were spent. Its requests are refused until it has credit again.

Add some with \`parlance credit grant\`, or redeem a code with \`parlance credit redeem\`.

${id}
`,
    }
  return {
    title: `Parlance: ${whose} has spent more than ${dollars(thresholdNano)} in ${month}`,
    text: `In ${month}, ${whose} has spent ${dollars(spentNano)}. The soft limit is ${dollars(thresholdNano)}; nothing is refused because of it.

\`parlance usage --by day\` shows what was spent, \`parlance limits\` what is allowed.

${id}
`,
  }
}

const line = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .slice(0, 120)
    .toWellFormed()
