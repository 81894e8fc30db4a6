// Line charts as SVG, by hand, in the manner of chart.mjs. The upright axis is logarithmic.
import { escaped, PAGE_STYLE } from './chart.mjs'

const WIDTH = 780
const HEIGHT = 380
const FRAME = { left: 64, right: 610, top: 60, bottom: 330 }

/**
 * @typedef {{ label: string, style: 'bare' | 'peer' | 'peer-too' | 'ours' | 'ours-too' | 'ours-jumbo' | 'ours-bbr', points: [x: number, y: number][] }} Line
 * @param {{ title: string, subtitle: string, across: string, ticks?: number[], lines: Line[] }} chart `across`: what the level axis shows.
 *   Values are above 0. With `ticks`, which the axis then goes from and to, points are many and have no dots
 */
export function lineChart({ title, subtitle, across, ticks: given, lines }) {
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y))
  const ticks = tickValues(Math.min(...values), Math.max(...values))
  const xs = given ?? [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b)
  const at = {
    x: (value) => round(FRAME.left + ((value - xs[0]) / (xs.at(-1) - xs[0] || 1)) * (FRAME.right - FRAME.left)),
    y: (value) => round(FRAME.bottom - (Math.log(value / ticks[0]) / Math.log(ticks.at(-1) / ticks[0])) * (FRAME.bottom - FRAME.top)),
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>${PAGE_STYLE}${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${HEIGHT}" rx="6"/>
<text class="title" x="16" y="24">${escaped(title)}</text>
<text class="note" x="16" y="41">${escaped(subtitle)}</text>
${ticks.map((value) => `<path class="grid" d="M${FRAME.left} ${at.y(value)}H${FRAME.right}"/><text x="${FRAME.left - 8}" y="${at.y(value) + 4}" text-anchor="end">${value}</text>`).join('\n')}
${xs.map((value) => `<path class="grid" d="M${at.x(value)} ${FRAME.bottom}v5"/>${xLabel(value, xs, at)}`).join('\n')}
<text class="note" x="${(FRAME.left + FRAME.right) / 2}" y="${FRAME.bottom + 38}" text-anchor="middle">${escaped(across)}</text>
${lines.map((line, i) => drawn(line, i, at, given === undefined)).join('\n')}
</svg>
`
}

const STYLE = `
.grid{fill:none;stroke:#8c959f;stroke-width:.5;opacity:.6}.line{fill:none;stroke-width:2}.dot{stroke:none}
.line.bare{stroke:#8c959f;fill:none}.line.peer,.line.peer-too{stroke:#d4833c;fill:none}.line.peer-too{stroke-dasharray:5 4}.line.ours,.line.ours-too,.line.ours-jumbo,.line.ours-bbr{stroke:#2f6fd0;fill:none}.line.ours-bbr{stroke-dasharray:12 3 2 3}.line.ours-too{stroke-dasharray:5 4}.line.ours-jumbo{stroke-dasharray:1 3;stroke-width:3}.dot.ours-too,.dot.ours-jumbo,.dot.ours-bbr{fill:#2f6fd0}
@media(prefers-color-scheme:dark){.line.ours,.line.ours-too,.line.ours-jumbo,.line.ours-bbr{stroke:#4c8dec}.dot.ours-too,.dot.ours-jumbo,.dot.ours-bbr{fill:#4c8dec}}
`

/** Where two neighbours are too near for a number each, the right one goes without. */
function xLabel(value, xs, at) {
  const previous = xs[xs.indexOf(value) - 1]
  if (previous !== undefined && at.x(value) - at.x(previous) < 22) return ''
  return `<text x="${at.x(value)}" y="${FRAME.bottom + 19}" text-anchor="middle">${value}</text>`
}

function drawn({ label, style, points }, i, at, hasDots) {
  const path = points.map(([x, y], n) => `${n === 0 ? 'M' : 'L'}${at.x(x)} ${at.y(y)}`).join('')
  const dots = (hasDots ? points : []).map(([x, y]) => `<circle class="dot ${style}" cx="${at.x(x)}" cy="${at.y(y)}" r="3"/>`).join('')
  const key = FRAME.top + 8 + i * 22
  return `<path class="line ${style}"${hasDots ? '' : ' style="stroke-width:1.4"'} d="${path}"/>${dots}<path class="line ${style}" d="M${FRAME.right + 22} ${key}h26"/><text x="${FRAME.right + 56}" y="${key + 4}">${escaped(label)}</text>`
}

/** 1, 2 and 5 times the powers of ten, from the last one below to the first one above. */
function tickValues(least, most) {
  const all = [-3, -2, -1, 0, 1, 2, 3, 4].flatMap((power) => [1, 2, 5].map((digit) => Number((digit * 10 ** power).toPrecision(1))))
  const from = all.findLastIndex((value) => value <= least)
  const to = all.findIndex((value) => value >= most)
  return all.slice(Math.max(0, from), Math.max(from + 2, to + 1))
}

const round = (value) => Math.round(value * 10) / 10
