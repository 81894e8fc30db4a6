// Bar charts as SVG, by hand: readable on a light and on a dark page, no script, no font of its own.

/**
 * @typedef {{ label: string, value: number | undefined, min?: number, max?: number, text: string, group: 'bare' | 'peer' | 'ours' }} Bar
 *   `text` stands behind the bar, or in its place where there is no value; `min` and `max` are drawn as a whisker
 * @param {{ title: string, subtitle: string, bars: Bar[] }} chart
 */
export function chart({ title, subtitle, bars }) {
  const top = 52
  const height = top + bars.length * ROW + 12
  const largest = Math.max(...bars.map(({ value, max }) => max ?? value ?? 0)) || 1
  const x = (value) => LEFT + (value / largest) * (WIDTH - LEFT - RIGHT)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>${PAGE_STYLE}</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>
<text class="title" x="16" y="24">${escaped(title)}</text>
<text class="note" x="16" y="41">${escaped(subtitle)}</text>
${bars.map((bar, i) => row(bar, top + i * ROW, x)).join('\n')}
</svg>
`
}

const WIDTH = 780
const LEFT = 270
/** Room for the text behind the longest bar. */
const RIGHT = 130
const ROW = 22
const BAR = 14

/** What charts of every kind look like. */
export const PAGE_STYLE = `
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}.note,.none{fill:#59636e}
.page{fill:#fff}.bare{fill:#8c959f}.peer{fill:#d4833c}.ours{fill:#2f6fd0}.whisker{stroke:#1f2328;stroke-width:1.2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note,.none{fill:#9198a1}.page{fill:#0d1117}.bare{fill:#6e7681}.peer{fill:#c7722b}.ours{fill:#4c8dec}.whisker{stroke:#e6edf3}}
`

function row({ label, value, min, max, text, group }, y, x) {
  const middle = y + BAR / 2
  const name = `<text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`
  if (value === undefined) return `${name}<text class="none" x="${LEFT}" y="${middle + 4}">${escaped(text)}</text>`
  const [from, to] = [x(min ?? value), x(max ?? value)].map(round)
  const bar = `<rect class="${group}" x="${LEFT}" y="${y}" width="${round(Math.max(x(value) - LEFT, 1))}" height="${BAR}" rx="2"/>`
  const whisker = to - from < 1 ? '' : `<path class="whisker" d="M${from} ${middle}H${to}M${from} ${middle - 3}v6M${to} ${middle - 3}v6"/>`
  return `${name}${bar}${whisker}<text x="${round(Math.max(to, x(value)) + 8)}" y="${middle + 4}">${escaped(text)}</text>`
}

const round = (value) => Math.round(value * 10) / 10

export const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
