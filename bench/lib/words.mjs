// Figures in words.

export const octets = (size) => `${count(size)} B`

/** 'median (smallest–largest)' */
export function ranged(spread) {
  if (spread === undefined) return '–'
  const [divisor, unit] = spread.median >= 1e6 ? [1e6, ' M'] : spread.median >= 1e4 ? [1e3, ' k'] : [1, '']
  const show = (value) => digits(value / divisor)
  return `${show(spread.median)}${unit} (${show(spread.min)}–${show(spread.max)})`
}

/** The same with two digits behind the point. */
export const fixed = (spread) =>
  spread === undefined ? '–' : `${spread.median.toFixed(2)} (${spread.min.toFixed(2)}–${spread.max.toFixed(2)})`

export const digits = (value) => (value >= 100 ? count(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

export const count = (value) => Math.round(value).toLocaleString('en-US')

export const ratio = (one, other) => (one === undefined || other === undefined ? '–' : `${digits(one.median / other.median)}×`)

export const gigabits = (perSecond, size) => (perSecond === undefined ? '–' : digits((perSecond.median * size * 8) / 1e9))

/** A ratio for the last line; JSON has no number for what could not be measured. */
export const significant = (value) => (Number.isFinite(value) ? Number(value.toPrecision(4)) : null)
